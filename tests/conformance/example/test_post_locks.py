"""Concurrent updates and deletions of posts and their tags."""

from asyncio import create_task, gather

import pytest
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.repository import PostRepository
from app.example.tags.repository import TagRepository
from app.kit.db.session import Database
from app.kit.queries.repository import load_options
from tests.example.factories import as_json, make_post, make_tag, make_user
from tests.example.order_factories import wait_for_blocked


@pytest.mark.parametrize("names", [("a", "b"), ("a", "a")])
async def test_tags_of_the_last_update_replace_those_of_a_concurrent_one(
    committing_client: AsyncClient,
    own_database: Database,
    own_session: AsyncSession,
    names: tuple[str, str],
) -> None:
    post = await make_post(own_session)
    for name in {*names}:
        await make_tag(own_session, name)
    path = f"/posts/{post.id}"
    async with own_database.transaction() as holder:
        await PostRepository(holder).get(post.id, *load_options(), for_update=True)
        patches = gather(*(committing_client.patch(path, json={"tags": [name]}) for name in names))
        await wait_for_blocked(own_database, 2)
    responses = await patches
    assert [response.status_code for response in responses] == [200, 200]
    stored = (await committing_client.get(path)).json()["tags"]
    assert len(stored) == 1
    assert stored in [response.json()["tags"] for response in responses]


async def test_update_of_a_concurrently_deleted_post_returns_404(
    committing_client: AsyncClient, own_database: Database, own_session: AsyncSession
) -> None:
    post = await make_post(own_session)
    async with own_database.transaction() as other:
        await PostRepository(other).delete(post.id)
        change = {"title": "Late"}
        request = create_task(committing_client.patch(f"/posts/{post.id}", json=change))
        await wait_for_blocked(own_database, 1)
    assert (await request).status_code == 404


async def test_update_of_a_concurrently_transferred_post_returns_its_new_author(
    committing_client: AsyncClient, own_database: Database, own_session: AsyncSession
) -> None:
    post, author = await make_post(own_session), await make_user(own_session)
    async with own_database.transaction() as other:
        moved = await PostRepository(other).get(post.id, *load_options(), for_update=True)
        await PostRepository(other).update(moved, {"author_id": author.id})
        change = {"title": "Late"}
        request = create_task(committing_client.patch(f"/posts/{post.id}", json=change))
        await wait_for_blocked(own_database, 1)
    response = await request
    assert response.status_code == 200
    assert response.json()["author"]["id"] == as_json(author.id)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_tag_deleted_concurrently_is_reported_by_name(
    committing_client: AsyncClient, own_database: Database, own_session: AsyncSession, method: str
) -> None:
    post, tag = await make_post(own_session), await make_tag(own_session, "old")
    new = {"author_id": as_json(post.author_id), "title": "New", "tags": ["old"]}
    path, body = ("/posts", new) if method == "POST" else (f"/posts/{post.id}", {"tags": ["old"]})
    async with own_database.transaction() as other:
        await TagRepository(other).delete(tag.id)
        request = create_task(committing_client.request(method, path, json=body))
        await wait_for_blocked(own_database, 1)
    response = await request
    assert response.status_code == 422
    assert response.json()["errors"] == [{"field": "body.tags", "message": "not found: old"}]
