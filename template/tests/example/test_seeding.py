"""The seed command creates reproducible example data of any size."""

from httpx2 import AsyncClient
from sqlalchemy import URL, func, select, text

from app.example.orders.models import OrderLine
from app.example.posts.models import Post, PostTag
from app.example.users.models import Profile, User
from app.kit.db.session import Database
from tests.support.commands import run
from tests.support.database import clone, settings_for

# The columns that `--random-seed` determines: all except ids and foreign keys.
CONTENT = """
    SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
        SELECT concat_ws(' ', u.email, u.name, u.is_active, u.created_at, p.title, p.published_at,
                         p.body, t.name) AS line
        FROM users u JOIN posts p ON p.author_id = u.id
        JOIN post_tags f ON f.post_id = p.id JOIN tags t ON t.id = f.tag_id
        UNION ALL
        SELECT concat_ws(' ', u.email, o.status, o.created_at, l.sku, l.quantity, s.name, s.stock)
        FROM users u JOIN orders o ON o.user_id = u.id JOIN order_lines l ON l.order_id = o.id
        JOIN products s ON s.id = l.product_id
    ) AS lines
"""


async def content(database: Database) -> str:
    """Return one line per tag of a post and per line of an order."""
    async with database.reading() as session:
        return await session.scalar(text(CONTENT)) or ""


async def test_seed_fills_every_table(
    committing_client: AsyncClient, own_database: Database, own_database_url: URL
) -> None:
    result = run(own_database_url, "seed", "--amount", "60")
    assert result.code == 0, result.err
    assert "users: 60 added\n" in result.out
    counts = dict(line.removesuffix(" added").split(": ") for line in result.out.splitlines())
    async with own_database.reading() as session:
        for model in (User, Profile, Post, PostTag, OrderLine):
            stored = await session.scalar(select(func.count()).select_from(model))
            assert (stored, bool(stored)) == (int(counts[model.__tablename__]), True)
    for path in ("users", "posts", "products", "orders", "tags", "categories"):
        page = await committing_client.get(f"/{path}")
        assert page.status_code == 200, page.text
        assert page.json()["items"]


async def test_seed_is_reproducible_and_additive(
    template: URL, own_database: Database, own_database_url: URL
) -> None:
    seed = ["seed", "--amount", "20"]
    with clone(template) as url:
        assert run(url, *seed).code == 0
        other = Database.open(settings_for(url).database, "test")
        first = await content(other)
        await other.close()
    assert run(own_database_url, *seed).code == 0
    assert await content(own_database) == first
    assert run(own_database_url, *seed).code == 2
    assert await content(own_database) == first
    assert run(own_database_url, *seed, "--random-seed", "2").code == 0
    both = (await content(own_database)).splitlines()
    assert {*first.splitlines()} < {*both}
