"""A post is never without its author: who writes one and who deletes the other take turns."""

from asyncio import create_task, gather
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response

from app.example.posts.models import Post
from app.example.posts.schemas import PostCreate
from app.example.posts.service import write_post
from app.example.users.models import User
from app.kit.db.deletion import erase_where
from app.kit.db.session import Database
from tests.example.catalog_factories import as_json
from tests.example.factories import make_post, make_user
from tests.example.order_factories import until_waiting

Write = Callable[[AsyncClient, User, Post], Coroutine[Any, Any, Response]]


async def write(client: AsyncClient, author: User, _post: Post) -> Response:
    """Write a post in the name of a user."""
    return await client.post("/posts", json={"author_id": as_json(author.id), "title": "Late"})


async def transfer(client: AsyncClient, author: User, post: Post) -> Response:
    """Give a post of somebody else to a user."""
    move: dict[str, Any] = {
        "from_author_id": as_json(post.author_id),
        "to_author_id": as_json(author.id),
        "post_ids": [as_json(post.id)],
    }
    return await client.post("/posts/transfers", json={"transfers": [move]})


@pytest.fixture
async def database(own_app: FastAPI) -> Database:
    """A database of the test's own, for two transactions at the same time."""
    found: Database = own_app.state.database
    return found


async def authors(client: AsyncClient) -> list[str]:
    """The author of each post, the newest first."""
    response = await client.get("/posts")
    assert response.status_code == 200, response.text
    return [str(post["author"]["id"]) for post in response.json()["items"]]


@pytest.mark.parametrize("gets_a_post", [write, transfer])
async def test_who_is_being_deleted_gets_no_post(
    committing_client: AsyncClient, database: Database, gets_a_post: Write
) -> None:
    async with database.sessions() as session:
        leaving, other = await make_user(session), await make_post(session)

    async with database.transaction() as session:
        assert await erase_where(session, User, User.id == leaving.id) == 1
        request = create_task(gets_a_post(committing_client, leaving, other))
        await until_waiting(database, 1)
    refused = await request
    if gets_a_post is write:
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "body.author_id"
    else:
        assert [each["index"] for each in refused.json()["refused"]] == [0]
    assert await authors(committing_client) == [str(other.author_id)]


async def test_who_is_deleted_while_they_write_takes_the_post_along(
    committing_client: AsyncClient, database: Database
) -> None:
    async with database.sessions() as session:
        author, other = await make_user(session), await make_post(session)
    new = PostCreate(author_id=author.id, title="Last")

    async with database.transaction() as session:
        await write_post(new, session)
        request = create_task(committing_client.delete(f"/users/{author.id}"))
        await until_waiting(database, 1)
    assert (await request).status_code == 204
    assert await authors(committing_client) == [str(other.author_id)]


async def test_many_transfers_and_deletions_at_once_leave_no_post_behind(
    committing_client: AsyncClient, database: Database
) -> None:
    async with database.sessions() as session:
        users = [await make_user(session) for _ in range(6)]
        posts = [await make_post(session, author=user) for user in users for _ in range(2)]
    moves = [
        transfer(committing_client, users[(place + 1) % 6], post)
        for place, post in enumerate(posts)
    ]
    deletions = [committing_client.delete(f"/users/{user.id}") for user in users[::2]]
    done = await gather(*moves, *deletions)
    assert {response.status_code for response in done} <= {200, 204}
    kept = {str(user.id) for user in users[1::2]}
    assert set(await authors(committing_client)) <= kept
