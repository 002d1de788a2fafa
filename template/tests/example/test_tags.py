"""Tag endpoints."""

import pytest
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from tests.example.factories import make_post, make_tag


async def test_tag_is_created_read_renamed_and_deleted(client: AsyncClient) -> None:
    created = await client.post("/tags", json={"name": "async-io"})
    assert created.status_code == 201
    path = f"/tags/{created.json()['id']}"
    assert (await client.get(path)).json() == created.json()
    assert (await client.patch(path, json={"name": "asyncio"})).json()["name"] == "asyncio"
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("name", ["", "Upper", "two words", "-", "a" * 51, "ünicode", "x\x00"])
async def test_invalid_tag_name_is_rejected(client: AsyncClient, name: str) -> None:
    response = await client.post("/tags", json={"name": name})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "body.name"


async def test_duplicate_name_is_a_conflict(client: AsyncClient, session: AsyncSession) -> None:
    await make_tag(session, "python")
    response = await client.post("/tags", json={"name": "python"})
    assert response.status_code == 409
    assert response.json()["errors"] == [{"field": "body.name", "message": "already exists"}]


async def test_tags_are_sorted_by_name_and_searchable(
    client: AsyncClient, session: AsyncSession
) -> None:
    for name in ("python", "asyncio", "postgresql"):
        await make_tag(session, name)
    page = (await client.get("/tags")).json()
    assert [tag["name"] for tag in page["items"]] == ["asyncio", "postgresql", "python"]
    page = (await client.get("/tags", params={"q": "p"})).json()
    assert (page["total"], [tag["name"] for tag in page["items"]]) == (2, ["postgresql", "python"])


async def test_deleting_tag_keeps_its_posts(client: AsyncClient, session: AsyncSession) -> None:
    tag = await make_tag(session)
    post = await make_post(session, tags=[tag])
    assert (await client.delete(f"/tags/{tag.id}")).status_code == 204
    response = await client.get(f"/posts/{post.id}")
    assert response.status_code == 200
    assert response.json()["tags"] == []
