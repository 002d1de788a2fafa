"""A concurrent write and delete never leave a post without its author."""

from asyncio import create_task, gather
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.posts.schemas import PostCreate
from app.example.posts.service import create_post
from app.example.users.models import User
from app.kit.db.deletion import delete_where
from app.kit.db.session import Database
from tests.example.factories import as_json, make_post, make_user
from tests.example.order_factories import wait_for_blocked

Write = Callable[[AsyncClient, User, Post], Coroutine[Any, Any, Response]]


async def write(client: AsyncClient, author: User, _post: Post) -> Response:
    """Create a post by the author."""
    return await client.post("/posts", json={"author_id": as_json(author.id), "title": "Late"})


async def transfer(client: AsyncClient, author: User, post: Post) -> Response:
    """Transfer another user's post to the author."""
    move: dict[str, Any] = {
        "from_author_id": as_json(post.author_id),
        "to_author_id": as_json(author.id),
        "post_ids": [as_json(post.id)],
    }
    return await client.post("/posts/transfers", json={"transfers": [move]})


async def author_ids(client: AsyncClient) -> list[str]:
    """Return the author id of each post, newest first."""
    response = await client.get("/posts")
    assert response.status_code == 200, response.text
    return [str(post["author"]["id"]) for post in response.json()["items"]]


@pytest.mark.parametrize("add_post", [write, transfer])
async def test_deleted_author_gets_no_new_post(
    committing_client: AsyncClient,
    own_database: Database,
    own_session: AsyncSession,
    add_post: Write,
) -> None:
    deleted, other = await make_user(own_session), await make_post(own_session)

    async with own_database.transaction() as session:
        assert await delete_where(session, User, User.id == deleted.id) == 1
        request = create_task(add_post(committing_client, deleted, other))
        await wait_for_blocked(own_database, 1)
    response = await request
    if add_post is write:
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "body.author_id"
    else:
        assert [each["index"] for each in response.json()["rejected"]] == [0]
    assert await author_ids(committing_client) == [str(other.author_id)]


async def test_deleting_author_deletes_post_written_concurrently(
    committing_client: AsyncClient, own_database: Database, own_session: AsyncSession
) -> None:
    author, other = await make_user(own_session), await make_post(own_session)
    new = PostCreate(author_id=author.id, title="Last")

    async with own_database.transaction() as session:
        await create_post(new, session)
        request = create_task(committing_client.delete(f"/users/{author.id}"))
        await wait_for_blocked(own_database, 1)
    assert (await request).status_code == 204
    assert await author_ids(committing_client) == [str(other.author_id)]


async def test_concurrent_transfers_and_deletes_leave_no_orphaned_posts(
    committing_client: AsyncClient, own_session: AsyncSession
) -> None:
    users = [await make_user(own_session) for _ in range(6)]
    posts = [await make_post(own_session, author=user) for user in users for _ in range(2)]
    moves = [
        transfer(committing_client, users[(index + 1) % 6], post)
        for index, post in enumerate(posts)
    ]
    deletions = [committing_client.delete(f"/users/{user.id}") for user in users[::2]]
    responses = await gather(*moves, *deletions)
    assert {response.status_code for response in responses} <= {200, 204}
    kept = {str(user.id) for user in users[1::2]}
    assert set(await author_ids(committing_client)) <= kept
