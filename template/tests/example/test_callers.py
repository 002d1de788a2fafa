"""Callers: scopes of writes, authors of posts, and what the database stores about callers."""

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from tests.example.factories import as_json, make_post, make_user
from tests.example.order_factories import open_shop
from tests.support.auth import ANONYMOUS, TESTER, bearer

ALICE, BOB = bearer("alice", "posts:write"), bearer("bob", "posts:write")


@pytest.fixture
async def post_path(client: AsyncClient, session: AsyncSession) -> str:
    """The path of a post that Alice created."""
    author = await make_user(session)
    new = {"author_id": as_json(author.id), "title": "Notes"}
    response = await client.post("/posts", json=new, headers=ALICE)
    assert response.status_code == 201, response.text
    return f"/posts/{response.json()['id']}"


async def test_reading_needs_a_token_and_no_scope(client: AsyncClient) -> None:
    response = await client.get("/posts", headers=ANONYMOUS)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert (await client.get("/posts", headers=bearer("alice"))).status_code == 200


@pytest.mark.parametrize("path", ["/posts", "/users", "/tags", "/categories", "/orders"])
async def test_writing_needs_the_scope_of_the_router(client: AsyncClient, path: str) -> None:
    response = await client.post(path, json={}, headers=bearer("alice", "openid"))
    assert response.status_code == 403
    scope = path.removeprefix("/").replace("categories", "catalog")
    assert f'scope="{scope}:write"' in response.headers["WWW-Authenticate"]
    assert (await client.post(path, json={})).status_code == 422


async def test_caller_changes_only_posts_that_they_created(
    client: AsyncClient, post_path: str
) -> None:
    for send in (
        client.patch(post_path, json={"title": "Mine"}, headers=BOB),
        client.delete(post_path, headers=BOB),
    ):
        response = await send
        assert response.status_code == 403
        assert response.json()["detail"] == "Only the caller that created this post can change it."
    assert (await client.get(post_path, headers=BOB)).json()["title"] == "Notes"
    response = await client.patch(post_path, json={"title": "Edited"}, headers=ALICE)
    assert response.json()["title"] == "Edited"
    assert (await client.delete(post_path, headers=ALICE)).status_code == 204


async def test_moderator_changes_any_post(
    client: AsyncClient, session: AsyncSession, post_path: str
) -> None:
    moderator = bearer("carol", "posts:write", "posts:moderate")
    without_creator = f"/posts/{(await make_post(session)).id}"
    for each in (post_path, without_creator):
        response = await client.patch(each, json={"title": "Moderated"}, headers=moderator)
        assert response.status_code == 200
    assert (
        await client.patch(without_creator, json={"title": "No"}, headers=ALICE)
    ).status_code == 403


async def test_row_stores_who_created_and_updated_it(
    client: AsyncClient, session: AsyncSession, post_path: str
) -> None:
    columns = select(Post.created_by, Post.updated_by)
    assert (await session.execute(columns)).one() == ("alice", "alice")
    await client.patch(post_path, json={"title": "Moderated"})
    assert (await session.execute(columns)).one() == ("alice", TESTER)


async def test_idempotency_key_belongs_to_its_caller(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 10)
    keys = {"Idempotency-Key": "k"}
    ids = [
        (
            await committing_client.post(
                "/orders", json=shop.order(1), headers=keys | bearer(subject, "orders:write")
            )
        ).json()["id"]
        for subject in ("alice", "bob", "alice")
    ]
    assert ids[0] == ids[2] != ids[1]
