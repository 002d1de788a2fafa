"""The feed of posts, paginated by cursor."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from tests.example.factories import make_post, make_tag, make_user

DAY = datetime(2026, 1, 1, tzinfo=UTC)


async def titles(client: AsyncClient, direction: str = "next", **params: Any) -> list[list[str]]:
    """Return the titles of each page, starting with the page of these parameters."""
    pages: list[list[str]] = []
    while True:
        response = await client.get("/posts/feed", params=params)
        assert response.status_code == 200, response.text
        page = response.json()
        pages.append([post["title"] for post in page["items"]])
        if page[direction] is None:
            return pages
        params["cursor"] = page[direction]


async def write_posts(session: AsyncSession) -> None:
    """Store two drafts and four posts, two of them published at the same time."""
    author = await make_user(session)
    for title, published_at in [
        ("Draft B", None),
        ("Monday", DAY),
        ("Tuesday B", DAY + timedelta(days=1)),
        ("Draft A", None),
        ("Tuesday A", DAY + timedelta(days=1)),
        ("Friday", DAY + timedelta(days=4)),
    ]:
        await make_post(session, author=author, title=title, published_at=published_at)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (
            "published",
            [["Friday", "Tuesday A"], ["Tuesday B", "Monday"], ["Draft A", "Draft B"]],
        ),
        ("title", [["Draft A", "Draft B"], ["Friday", "Monday"], ["Tuesday A", "Tuesday B"]]),
        ("oldest", [["Draft B", "Monday"], ["Tuesday B", "Draft A"], ["Tuesday A", "Friday"]]),
        ("newest", [["Friday", "Tuesday A"], ["Draft A", "Tuesday B"], ["Monday", "Draft B"]]),
    ],
)
async def test_feed_is_read_in_each_order_forward_and_backward(
    client: AsyncClient, session: AsyncSession, sort: str, expected: list[list[str]]
) -> None:
    await write_posts(session)
    assert await titles(client, sort=sort, limit=2) == expected
    page: dict[str, Any] = {"next": None}
    for _ in expected:
        params: dict[str, Any] = {"sort": sort, "limit": 2} | (
            {"cursor": page["next"]} if page["next"] else {}
        )
        page = (await client.get("/posts/feed", params=params)).json()
    back = await titles(client, "previous", sort=sort, limit=2, cursor=page["previous"])
    assert back == expected[-2::-1]


async def test_filters_apply_to_every_page(client: AsyncClient, session: AsyncSession) -> None:
    python, other = await make_tag(session, "python"), await make_tag(session, "other")
    for number in range(6):
        tags = [python, other] if number % 2 else [other]
        await make_post(session, title=f"Note {number}", tags=tags)
    assert await titles(client, tag="python", limit=1) == [["Note 5"], ["Note 3"], ["Note 1"]]
    assert await titles(client, tag="python", q="3") == [["Note 3"]]
    assert await titles(client, tag="unused") == [[]]


async def test_deleted_post_is_not_in_feed(client: AsyncClient, session: AsyncSession) -> None:
    await write_posts(session)
    page = (await client.get("/posts/feed", params={"sort": "published", "limit": 3})).json()
    for post in (await client.get("/posts", params={"q": "Draft B"})).json()["items"]:
        await client.delete(f"/posts/{post['id']}")
    rest = await titles(client, sort="published", limit=3, cursor=page["next"])
    assert rest == [["Monday", "Draft A"]]


@pytest.mark.parametrize(
    "change",
    [
        {"sort": "title"},
        {"tag": "python"},
        {"q": "Note"},
        {"cursor": ""},
        {"cursor": "nonsense"},
        {"cursor": "ünicode"},
        {"cursor": "\x00"},
        {"cursor": "A" * 8000},
        {"cursor": "A" * 8001},
        {"cursor": "bnVsbA"},
    ],
)
async def test_cursor_of_another_list_is_rejected(
    client: AsyncClient, session: AsyncSession, change: dict[str, str]
) -> None:
    await write_posts(session)
    first = (await client.get("/posts/feed", params={"limit": 1})).json()
    response = await client.get("/posts/feed", params={"cursor": first["next"]} | change)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["query.cursor"]


async def test_page_size_can_change_between_pages(
    client: AsyncClient, session: AsyncSession
) -> None:
    await write_posts(session)
    first = (await client.get("/posts/feed", params={"limit": 1})).json()
    params = {"cursor": first["next"], "limit": 100}
    assert len((await client.get("/posts/feed", params=params)).json()["items"]) == 5


@pytest.mark.parametrize("path", ["/posts", "/posts/feed", "/users"])
async def test_unknown_sort_is_rejected_and_known_sorts_are_documented(
    client: AsyncClient, path: str
) -> None:
    for sort in ("hashed_password", "created_at; --", "", "NEWEST"):
        response = await client.get(path, params={"sort": sort})
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "query.sort"
    openapi = (await client.get("/openapi.json")).json()
    parameters = openapi["paths"][path]["get"]["parameters"]
    (schema,) = [item["schema"] for item in parameters if item["name"] == "sort"]
    offered = openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["enum"]
    assert {"newest", "oldest"} < set(offered)
    for sort in offered:
        assert (await client.get(path, params={"sort": sort})).status_code == 200
