"""Example data: users with posts and orders, and a catalog of products.

On average, a user has five posts and one order. There is one product per five users. Users are
stored in batches of 1,000, so that memory use does not grow with their number.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.example.catalog.models import Category, Product, ProductStatus
from app.example.orders.models import Order, OrderLine, OrderStatus
from app.example.posts.models import Post, PostTag
from app.example.tags.models import Tag
from app.example.users.models import Profile, User
from app.kit.cli.seeding import Seed
from app.kit.db.base import TimestampedModel, any_of
from app.kit.db.ids import Id

BATCH_SIZE = 1000
MAX_PRODUCTS = 5000
# A constant, not the current time, so that a seed gives the same rows on any day.
LATEST = datetime(2026, 1, 1, tzinfo=UTC)
# No password has this hash, so these users cannot log in.
UNUSABLE_PASSWORD = "-"  # noqa: S105 - not a password

Rows = list[dict[str, Any]]


async def seed_example(seed: Seed) -> None:
    """Insert users with profiles, posts and orders, and the tags and products that these need."""
    tags = await _insert_missing(seed, Tag, "name", [{"name": topic} for topic in TOPICS])
    category_rows = [{"name": name, "slug": name.lower()} for name in CATEGORIES]
    categories = await _insert_missing(seed, Category, "slug", category_rows)
    products = _products(seed, categories)
    keys = await seed.insert(Product, products)
    stored_products = [row | {"id": key} for row, key in zip(products, keys, strict=True)]
    for start in range(0, seed.amount, BATCH_SIZE):
        numbers = range(start, min(start + BATCH_SIZE, seed.amount))
        users = await seed.insert(User, [_user(seed, number) for number in numbers])
        await seed.copy(Profile, _profiles(seed, users))
        posts = await seed.insert(Post, [row for user in users for row in _posts(seed, user)])
        await seed.copy(PostTag, _post_tags(seed, posts, tags))
        orders = await seed.insert(Order, [row for user in users for row in _orders(seed, user)])
        await seed.copy(OrderLine, _order_lines(seed, orders, stored_products))
        seed.advance(len(numbers))


async def _insert_missing(
    seed: Seed, model: type[TimestampedModel], name: str, rows: Rows
) -> Sequence[Id]:
    """Insert the missing rows. Return the ids of all rows, ordered by the column `name`."""
    column = getattr(model, name)
    statement = insert(model).on_conflict_do_nothing(index_elements=[name])
    # Count the rows before and after, because asyncpg's executemany() returns no row count.
    before = await _count(seed, model)
    await seed.session.execute(statement, rows)
    seed.counts[model.__tablename__] += await _count(seed, model) - before
    named = select(model.id).where(any_of(column, [row[name] for row in rows]))
    return (await seed.session.scalars(named.order_by(column))).all()


async def _count(seed: Seed, model: type[TimestampedModel]) -> int:
    return await seed.session.scalar(select(func.count()).select_from(model)) or 0


def _products(seed: Seed, categories: Sequence[Id]) -> Rows:
    random = seed.random
    rows: Rows = []
    for number in range(min(seed.amount // 5 + 10, MAX_PRODUCTS)):
        name = f"{random.choice(ADJECTIVES)} {random.choice(NOUNS)}"
        status = random.choices(list(ProductStatus), weights=[1, 8, 1])[0]
        row = {
            "category_id": random.choice(categories),
            "sku": f"S{seed.number}-{number:05}",
            "slug": f"{name.lower().replace(' ', '-')}-{seed.number}-{number}",
            "name": name,
            "status": status,
            "price_cents": random.randrange(99, 20_000, 50),
            # About one product in ten is sold out.
            "stock": max(0, random.randrange(-20, 200)),
        }
        rows.append(row | _times(seed))
    return rows


def _user(seed: Seed, number: int) -> dict[str, Any]:
    first, last = seed.random.choice(FIRST_NAMES), seed.random.choice(LAST_NAMES)
    return {
        "email": f"{first}.{last}.{seed.number}.{number}@example.org".lower(),
        "name": f"{first} {last}",
        "hashed_password": UNUSABLE_PASSWORD,
        "is_active": seed.random.random() < 0.95,
    } | _times(seed)


def _profiles(seed: Seed, users: Sequence[Id]) -> Iterator[dict[str, Any]]:
    for user in users:
        if seed.random.random() < 0.6:
            bio = seed.random.choice(SENTENCES)
            yield {"user_id": user, "bio": bio, "website": None} | _times(seed)


def _posts(seed: Seed, user: Id) -> Iterator[dict[str, Any]]:
    random = seed.random
    # Most users write a few posts, and a few users write many.
    for _ in range(min(int(random.expovariate(1 / 5)), 100)):
        times = _times(seed)
        is_draft = random.random() < 0.2
        yield {
            "author_id": user,
            "title": f"{random.choice(ADJECTIVES)} {random.choice(TOPICS)}",
            "body": " ".join(random.choices(SENTENCES, k=random.randint(1, 12))),
            "published_at": None if is_draft else times["created_at"] + timedelta(hours=1),
        } | times


def _post_tags(seed: Seed, posts: Sequence[Id], tags: Sequence[Id]) -> Iterator[dict[str, Any]]:
    for post in posts:
        for tag in seed.random.sample(tags, k=seed.random.randint(0, 3)):
            yield {"post_id": post, "tag_id": tag}


def _orders(seed: Seed, user: Id) -> Iterator[dict[str, Any]]:
    for _ in range(seed.random.choices([0, 1, 2, 3], weights=[40, 35, 15, 10])[0]):
        status = seed.random.choices(list(OrderStatus), weights=[2, 7, 1])[0]
        yield {"user_id": user, "status": status} | _times(seed)


def _order_lines(seed: Seed, orders: Sequence[Id], products: Rows) -> Iterator[dict[str, Any]]:
    for order in orders:
        for product in seed.random.sample(products, k=seed.random.randint(1, 4)):
            yield {
                "order_id": order,
                "product_id": product["id"],
                "sku": product["sku"],
                "name": product["name"],
                "quantity": seed.random.randint(1, 5),
                "unit_price_cents": product["price_cents"],
            }


def _times(seed: Seed) -> dict[str, datetime]:
    """Return random `created_at` and `updated_at` values from the two years before LATEST."""
    created = LATEST - timedelta(seconds=seed.random.randrange(2 * 365 * 86_400))
    # The third power: most rows were updated soon after they were created.
    updated = created + (LATEST - created) * seed.random.random() ** 3
    return {"created_at": created, "updated_at": updated}


# Words of the example data. Adding a word changes the data of every seed.
FIRST_NAMES = [
    *("Ada", "Amir", "Bela", "Chen", "Clara", "Dilek", "Edgar", "Elif", "Fatou", "Gita", "Hugo"),
    *("Ines", "Ivo", "Jonas", "Kaja", "Kofi", "Lena", "Luis", "Mara", "Mei", "Nadia", "Noor"),
    *("Olga", "Omar", "Pia", "Quentin", "Rosa", "Sami", "Tariq", "Uma", "Vera", "Yusuf", "Zoe"),
]
LAST_NAMES = [
    *("Abara", "Almeida", "Bauer", "Berg", "Costa", "Dahl", "Duran", "Eriksen", "Farkas", "Gupta"),
    *("Haddad", "Horvat", "Ito", "Jansen", "Kaya", "Keller", "Kimura", "Lund", "Marek", "Mbeki"),
    *("Moreau", "Nowak", "Okafor", "Park", "Quispe", "Rossi", "Santos", "Silva", "Tanaka", "Weber"),
]
CATEGORIES = ["Books", "Coffee", "Garden", "Kitchen", "Lighting", "Music", "Paper", "Tea", "Tools"]
ADJECTIVES = [
    *("Blue", "Bright", "Calm", "Clever", "Early", "Folding", "Gentle", "Green", "Heavy", "Honest"),
    *("Light", "Little", "Long", "Lost", "Old", "Patient", "Plain", "Quiet", "Quick", "Round"),
    *("Second", "Silver", "Simple", "Slow", "Small", "Soft", "Steady", "Sturdy", "Warm", "Wooden"),
]
NOUNS = [
    *("Basket", "Bell", "Bowl", "Brush", "Chair", "Clock", "Cup", "Drill", "Fork", "Jar", "Kettle"),
    *("Ladder", "Lamp", "Mug", "Notebook", "Pan", "Pen", "Plate", "Pot", "Rake", "Ruler", "Saw"),
    *("Scale", "Shelf", "Spade", "Spoon", "Stool", "Teapot", "Tray", "Vase", "Watering Can"),
]
TOPICS = [
    *("architecture", "baking", "birds", "chess", "cities", "coffee", "databases", "design"),
    *("gardening", "history", "hiking", "languages", "maps", "music", "networks", "numbers"),
    *("painting", "physics", "poetry", "queues", "rivers", "sailing", "testing", "trains"),
]
SENTENCES = [
    "It took longer than we had planned, and was worth each hour.",
    "Most of what I know about it I learned by getting it wrong.",
    "There are three ways to begin, and only one that I would repeat.",
    "Nobody had written it down, so here it is.",
    "The first attempt failed in a way that taught us a lot.",
    "What follows is a short account of a long afternoon.",
    "Ask me again in a year; today I am sure.",
    "We measured it twice, since we did not believe it the first time.",
    "The old way still works, and that is the trouble with it.",
    "Small steps, each of which can be taken back.",
    "I was told that it could not be done, and looked it up.",
    "The best part was to see others use it.",
]
