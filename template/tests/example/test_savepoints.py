"""An error inside a savepoint undoes only that savepoint."""

from asyncio import gather
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.tags.models import Tag
from tests.example.factories import as_json, make_post, make_tag, make_user


async def test_import_keeps_valid_names_and_reports_invalid_ones(
    client: AsyncClient, session: AsyncSession
) -> None:
    await make_tag(session, "taken")
    names = ["one", "taken", "Not A Slug", "two", "one", "Not!", "x" * 51, "three"]
    response = await client.post("/tags/import", json={"names": names})
    assert response.status_code == 200
    body = response.json()
    assert [tag["name"] for tag in body["created"]] == ["one", "two", "three"]
    assert [item["index"] for item in body["rejected"]] == [1, 2, 4, 5, 6]
    assert body["rejected"][0]["reason"] == "name already exists."
    for tag in body["created"]:
        assert (await client.get(f"/tags/{tag['id']}")).json() == tag
    assert await session.scalar(select(func.count()).select_from(Tag)) == 4


@pytest.mark.parametrize("names", [[], ["a"] * 201, [1], [None], "text", None])
async def test_invalid_import_is_rejected(
    client: AsyncClient, session: AsyncSession, names: Any
) -> None:
    response = await client.post("/tags/import", json={"names": names})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"].startswith("body.names")
    assert await session.scalar(select(func.count()).select_from(Tag)) == 0


async def test_failed_transfer_is_undone_and_others_succeed(
    client: AsyncClient, session: AsyncSession
) -> None:
    ada, bob, eve = [await make_user(session, name=name) for name in ("Ada", "Bob", "Eve")]
    mine = [await make_post(session, author=ada) for _ in range(3)]
    others = await make_post(session, author=eve)
    keys = [as_json(post.id) for post in mine]
    deleted = await make_user(session)
    await client.delete(f"/users/{deleted.id}")

    def transfer(sender: Any, recipient: Any, *posts: Any) -> dict[str, Any]:
        return {
            "from_author_id": as_json(sender.id),
            "to_author_id": as_json(recipient.id),
            "post_ids": list(posts),
        }

    batch = [
        transfer(ada, bob, keys[0]),
        # The third post belongs to another author, so the first two updates are undone.
        transfer(ada, bob, keys[1], keys[2], as_json(others.id)),
        transfer(ada, deleted, keys[1]),
        # Post 1 is unchanged after the failed transfers.
        transfer(ada, eve, keys[1]),
    ]
    response = await client.post("/posts/transfers", json={"transfers": batch})
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["moved"] == 2
    assert [item["index"] for item in body["rejected"]] == [1, 2]
    assert body["rejected"][0]["errors"][0]["field"] == "body.transfers.1.post_ids"
    authors = [
        (await client.get(f"/posts/{key}")).json()["author"]["name"]
        for key in [*keys, as_json(others.id)]
    ]
    assert authors == ["Bob", "Eve", "Ada", "Eve"]


async def test_concurrent_transfers_of_the_same_posts_succeed_once(
    committing_client: AsyncClient, own_session: AsyncSession
) -> None:
    ada, bob, eve = [await make_user(own_session) for _ in range(3)]
    keys = [as_json((await make_post(own_session, author=ada)).id) for _ in range(10)]

    async def transfer_posts(number: int) -> int:
        transfer = {
            "from_author_id": as_json(ada.id),
            "to_author_id": as_json((bob, eve)[number % 2].id),
            "post_ids": keys if number % 3 else keys[::-1],
        }
        response = await committing_client.post("/posts/transfers", json={"transfers": [transfer]})
        assert response.status_code == 200, response.text
        moved: int = response.json()["moved"]
        return moved

    assert sorted(await gather(*map(transfer_posts, range(12)))) == [0] * 11 + [10]


async def test_deleted_post_cannot_be_transferred(
    client: AsyncClient, session: AsyncSession
) -> None:
    post, recipient = await make_post(session), await make_user(session)
    await client.delete(f"/posts/{post.id}")
    transfer = {
        "from_author_id": as_json(post.author_id),
        "to_author_id": as_json(recipient.id),
        "post_ids": [as_json(post.id)],
    }
    body = (await client.post("/posts/transfers", json={"transfers": [transfer]})).json()
    detail = f"Posts not found: {post.id}."
    assert body == {"moved": 0, "rejected": [{"index": 0, "detail": detail, "errors": []}]}
