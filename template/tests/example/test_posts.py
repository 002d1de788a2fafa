"""Post endpoints."""

from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from tests.example.factories import as_json, make_post, make_tag, make_user


async def test_post_is_created_with_existing_tags(
    client: AsyncClient, session: AsyncSession
) -> None:
    author = await make_user(session, name="Ada")
    for name in ("python", "asyncio"):
        await make_tag(session, name)
    new = {"author_id": as_json(author.id), "title": " Notes ", "tags": ["python", "asyncio"]}
    response = await client.post("/posts", json=new)
    assert response.status_code == 201
    body = response.json()
    assert body["title"] == "Notes"
    assert body["author"]["name"] == "Ada"
    assert [tag["name"] for tag in body["tags"]] == ["asyncio", "python"]
    assert (await client.get(f"/posts/{body['id']}")).json() == body


async def test_post_requires_existing_author(client: AsyncClient, session: AsyncSession) -> None:
    author = await make_user(session)
    await client.delete(f"/users/{author.id}")
    response = await client.post("/posts", json={"author_id": as_json(author.id), "title": "Late"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "body.author_id"


async def test_unknown_tag_is_reported_by_name(client: AsyncClient, session: AsyncSession) -> None:
    author = await make_user(session)
    new = {"author_id": as_json(author.id), "title": "Notes", "tags": ["nowhere"]}
    response = await client.post("/posts", json=new)
    assert response.status_code == 422
    assert response.json()["errors"] == [{"field": "body.tags", "message": "not found: nowhere"}]
    assert (await client.get("/posts")).json()["total"] == 0


async def test_patch_replaces_tags_only_if_present(
    client: AsyncClient, session: AsyncSession
) -> None:
    await make_tag(session, "new")
    post = await make_post(session, title="Before", tags=[await make_tag(session, "old")])
    path = f"/posts/{post.id}"
    body = (await client.patch(path, json={"title": "After"})).json()
    assert (body["title"], [tag["name"] for tag in body["tags"]]) == ("After", ["old"])
    body = (await client.patch(path, json={"tags": ["new"]})).json()
    assert (body["title"], [tag["name"] for tag in body["tags"]]) == ("After", ["new"])
    assert (await client.get(path)).json() == body


@pytest.mark.parametrize(
    "change", [{"title": None}, {"title": ""}, {"author_id": 1}, {"tags": ["a"] * 21}]
)
async def test_invalid_patch_changes_nothing(
    client: AsyncClient, session: AsyncSession, change: dict[str, Any]
) -> None:
    post = await make_post(session)
    before = (await client.get(f"/posts/{post.id}")).json()
    assert (await client.patch(f"/posts/{post.id}", json=change)).status_code == 422
    assert (await client.get(f"/posts/{post.id}")).json() == before


async def test_posts_are_filtered_by_text_author_and_tag(
    client: AsyncClient, session: AsyncSession
) -> None:
    ada = await make_user(session)
    python, asyncio = await make_tag(session, "python"), await make_tag(session, "asyncio")
    await make_post(session, title="One", author=ada, tags=[python, asyncio])
    await make_post(session, title="Two", body="One more.", tags=[python])
    await make_post(session, title="Three", author=ada)

    async def found(**params: str) -> list[str]:
        page = (await client.get("/posts", params=params)).json()
        assert page["total"] == len(page["items"])
        return [post["title"] for post in page["items"]]

    assert await found() == ["Three", "Two", "One"]
    assert await found(q="one") == ["Two", "One"]
    assert await found(tag="python") == ["Two", "One"]
    assert await found(author_id=str(ada.id)) == ["Three", "One"]
    assert await found(author_id=str(ada.id), tag="asyncio") == ["One"]
    assert await found(tag="unused") == []


async def test_post_with_several_tags_is_listed_and_counted_once(
    client: AsyncClient, session: AsyncSession
) -> None:
    tags = [await make_tag(session, name) for name in ("python", "asyncio", "postgresql")]
    await make_post(session, tags=tags)
    await make_post(session, tags=tags[:1])
    page = (await client.get("/posts", params={"tag": "python", "q": "post"})).json()
    assert (page["total"], len(page["items"])) == (2, 2)
    assert [len(post["tags"]) for post in page["items"]] == [1, 3]


@pytest.mark.parametrize("q", ["100%\\", "%", "_", "\\", "'; --", "%%%\\\\_"])
async def test_search_treats_wildcards_literally(
    client: AsyncClient, session: AsyncSession, q: str
) -> None:
    await make_post(session, title="Unrelated", body="Nothing.")
    await make_post(session, title=f"It is {q}!")
    page = (await client.get("/posts", params={"q": q})).json()
    assert [post["title"] for post in page["items"]] == [f"It is {q}!"]


async def test_search_finds_the_longest_title(client: AsyncClient, session: AsyncSession) -> None:
    await make_post(session, title="a" * 199)
    await make_post(session, title="a" * 200)
    page = (await client.get("/posts", params={"q": "a" * 200})).json()
    assert [len(post["title"]) for post in page["items"]] == [200]


async def test_posts_are_sorted_as_requested(client: AsyncClient, session: AsyncSession) -> None:
    for title in ("b", "c", "a"):
        await make_post(session, title=title)

    async def listed(sort: str) -> str:
        page = (await client.get("/posts", params={"sort": sort})).json()
        return "".join(post["title"] for post in page["items"])

    assert await listed("newest") == "acb"
    assert await listed("oldest") == "bca"
    assert await listed("title") == "abc"


async def test_post_is_a_draft_until_published(client: AsyncClient, session: AsyncSession) -> None:
    author = await make_user(session)
    new = {"author_id": as_json(author.id), "title": "Notes"}
    body = (await client.post("/posts", json=new)).json()
    assert body["published_at"] is None
    path = f"/posts/{body['id']}"
    publication = {"published_at": "2026-01-01T12:00:00+02:00"}
    assert (await client.patch(path, json=publication)).json()[
        "published_at"
    ] == "2026-01-01T10:00:00Z"
    await client.patch(path, json={"title": "Same"})
    assert (await client.get(path)).json()["published_at"] == "2026-01-01T10:00:00Z"
    assert (await client.patch(path, json={"published_at": None})).json()["published_at"] is None


@pytest.mark.parametrize(
    "published_at",
    ["2026-01-01T12:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", ""],
)
async def test_naive_or_out_of_range_datetime_is_rejected(
    client: AsyncClient, session: AsyncSession, published_at: str
) -> None:
    post = await make_post(session)
    response = await client.patch(f"/posts/{post.id}", json={"published_at": published_at})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "body.published_at"


async def test_deleting_user_deletes_their_posts(
    client: AsyncClient, session: AsyncSession
) -> None:
    post = await make_post(session, tags=[await make_tag(session)])
    other = await make_post(session)
    assert (await client.delete(f"/users/{post.author_id}")).status_code == 204
    assert (await client.get(f"/posts/{post.id}")).status_code == 404
    assert (await client.get(f"/posts/{other.id}")).status_code == 200
    assert (await client.get("/posts")).json()["total"] == 1


async def test_deleted_post_is_not_found(client: AsyncClient, session: AsyncSession) -> None:
    post = await make_post(session, tags=[await make_tag(session)])
    assert (await client.delete(f"/posts/{post.id}")).status_code == 204
    assert (await client.get(f"/posts/{post.id}")).status_code == 404
    assert (await client.delete(f"/posts/{post.id}")).status_code == 404


@pytest.mark.parametrize("key", ["0", "-1", "nonsense", str(2**63), "9" * 40])
async def test_invalid_post_id_is_rejected(client: AsyncClient, key: str) -> None:
    response = await client.get(f"/posts/{key}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "path.post_id"
