"""Maintenance commands: set-based statements, one transaction per batch."""

from asyncio import CancelledError, create_task
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from httpx2 import AsyncClient
from sqlalchemy import URL, event, insert, select

from app.example.idempotency import IdempotencyKey
from app.example.posts.models import Post
from app.example.posts.repository import PostRepository
from app.example.posts.service import delete_old_posts
from app.example.users.models import User
from app.example.users.service import deactivate_users
from app.kit.db.base import utc_now
from app.kit.db.ids import Id
from app.kit.db.session import Database
from app.kit.queries.repository import load_options
from app.kit.writes.idempotency import delete_expired
from tests.example.factories import make_post, make_tag, make_user
from tests.example.order_factories import wait_for_blocked
from tests.support.commands import run
from tests.support.statements import counting

LONG_AGO = utc_now() - timedelta(days=40)
RECENTLY = utc_now() - timedelta(days=20)


async def make_old_posts(database: Database, count: int) -> list[Id]:
    """Store old posts and return their ids, sorted."""
    async with database.transaction() as session:
        author = User(email="ada@example.org", name="Ada", hashed_password="-")
        session.add(author)
        await session.flush()
        row = {"author_id": author.id, "updated_at": LONG_AGO}
        posts = [row | {"title": f"Post {number}"} for number in range(count)]
        return sorted(await session.scalars(insert(Post).returning(Post.id), posts))


async def remaining_posts(database: Database) -> Sequence[Id]:
    """Return the ids of the remaining posts."""
    async with database.reading() as session:
        return (await session.scalars(select(Post.id).order_by(Post.id))).all()


async def test_deactivate_users_updates_only_inactive_users(
    committing_client: AsyncClient, own_database: Database, own_database_url: URL
) -> None:
    async with own_database.sessions() as session:
        idle = await make_user(session, updated_at=LONG_AGO)
        await make_post(session, author=idle, created_at=LONG_AGO)
        author = await make_user(session, updated_at=LONG_AGO)
        await make_post(session, author=author, created_at=RECENTLY)
        changed = await make_user(session, updated_at=RECENTLY)
    result = run(own_database_url, "deactivate-users", "--days", "30")
    assert (result.code, result.out) == (0, "1 users deactivated\n")
    page = (await committing_client.get("/users", params={"is_active": True})).json()
    assert {user["name"] for user in page["items"]} == {author.name, changed.name}
    body = (await committing_client.get(f"/users/{idle.id}")).json()
    assert not body["is_active"]
    assert body["updated_at"] > body["created_at"]
    # A reactivated user counts as active for the same number of days.
    await committing_client.patch(f"/users/{idle.id}", json={"is_active": True})
    assert run(own_database_url, "deactivate-users", "--days", "30").out == "0 users deactivated\n"


async def test_delete_old_posts_keeps_recently_updated_posts(
    committing_client: AsyncClient, own_database: Database, own_database_url: URL
) -> None:
    async with own_database.sessions() as session:
        old = await make_post(session, updated_at=LONG_AGO, tags=[await make_tag(session)])
        kept = await make_post(session, created_at=LONG_AGO, updated_at=RECENTLY)
    result = run(own_database_url, "delete-old-posts", "--days", "30")
    assert (result.code, result.out) == (0, "1 posts deleted\n")
    assert (await committing_client.get(f"/posts/{old.id}")).status_code == 404
    assert (await committing_client.get(f"/posts/{kept.id}")).status_code == 200
    assert (await committing_client.get("/tags")).json()["total"] == 1
    assert run(own_database_url, "delete-old-posts", "--days", "30").out == "0 posts deleted\n"


async def test_delete_old_posts_keeps_posts_with_new_tags(
    committing_client: AsyncClient, own_database: Database, own_database_url: URL
) -> None:
    async with own_database.sessions() as session:
        post = await make_post(session, updated_at=LONG_AGO)
        tag = await make_tag(session)
    change = {"tags": [tag.name]}
    assert (await committing_client.patch(f"/posts/{post.id}", json=change)).is_success
    assert run(own_database_url, "delete-old-posts", "--days", "30").out == "0 posts deleted\n"


async def make_keys(database: Database, *created_at: datetime) -> None:
    """Store idempotency keys with these creation times."""
    rows = [
        {"scope": "place_order", "key": str(number), "fingerprint": b"-", "created_at": created}
        for number, created in enumerate(created_at)
    ]
    async with database.transaction() as session:
        await session.execute(insert(IdempotencyKey), rows)


async def test_delete_idempotency_keys_deletes_only_old_keys(
    own_database: Database, own_database_url: URL
) -> None:
    await make_keys(own_database, LONG_AGO, RECENTLY, LONG_AGO)
    result = run(own_database_url, "delete-idempotency-keys", "--days", "30")
    assert (result.code, result.out) == (0, "2 keys deleted\n")
    async with own_database.reading() as session:
        assert (await session.scalars(select(IdempotencyKey.key))).all() == ["1"]


@pytest.mark.parametrize("days", ["0", "-1", "36501", "9" * 30, "x", ""])
@pytest.mark.parametrize(
    "command", ["deactivate-users", "delete-old-posts", "delete-idempotency-keys"]
)
def test_invalid_number_of_days_is_rejected(command: str, days: str) -> None:
    result = run(None, command, "--days", days)
    assert result.code == 2
    assert "--days" in result.err


@pytest.fixture
def commits(own_database: Database) -> list[object]:
    """The committed transactions."""
    committed: list[object] = []
    event.listen(own_database.engine.sync_engine, "commit", committed.append)
    return committed


async def test_delete_old_posts_commits_each_batch(
    own_database: Database, commits: list[object]
) -> None:
    await make_old_posts(own_database, 25)
    commits.clear()
    with counting(own_database.engine) as statements:
        assert await delete_old_posts(own_database, RECENTLY, size=10) == 25
    # Three batches with a SELECT and a DELETE each.
    statements.assert_count(6)
    assert len(commits) == 3
    assert await remaining_posts(own_database) == []


async def test_deactivate_users_commits_each_batch(
    own_database: Database, commits: list[object]
) -> None:
    async with own_database.transaction() as session:
        values = {"name": "-", "hashed_password": "-"}
        users = [{"email": f"{number}@example.org", **values} for number in range(25)]
        await session.execute(insert(User), users)
    commits.clear()
    with counting(own_database.engine) as statements:
        assert await deactivate_users(own_database, utc_now(), size=10) == 25
    statements.assert_count(6)
    assert len(commits) == 3


async def test_delete_idempotency_keys_commits_each_batch(
    own_database: Database, commits: list[object]
) -> None:
    await make_keys(own_database, *[LONG_AGO] * 25)
    commits.clear()
    with counting(own_database.engine) as statements:
        assert await delete_expired(own_database, IdempotencyKey, RECENTLY, size=10) == 25
    statements.assert_count(6)
    assert len(commits) == 3


async def test_cancelled_job_keeps_committed_batches_and_can_be_repeated(
    own_database: Database,
) -> None:
    keys = await make_old_posts(own_database, 25)
    async with own_database.transaction() as session:
        await PostRepository(session).lock_many([keys[22]], *load_options())
        job = create_task(delete_old_posts(own_database, RECENTLY, size=10))
        await wait_for_blocked(own_database, 1)
        job.cancel()
        with pytest.raises(CancelledError):
            await job
    assert await remaining_posts(own_database) == keys[20:]
    assert await delete_old_posts(own_database, RECENTLY, size=10) == 5
    assert await remaining_posts(own_database) == []
