"""Post statistics endpoints."""

from datetime import UTC, datetime
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from tests.example.factories import make_post, make_user

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


async def test_totals_without_posts_are_zero_and_averages_null(client: AsyncClient) -> None:
    assert (await client.get("/posts/statistics")).json() == {
        "posts": 0,
        "published": 0,
        "authors": 0,
        "average_per_user": None,
        "average_length": None,
    }


async def test_totals_exclude_deleted_posts(client: AsyncClient, session: AsyncSession) -> None:
    ada = await make_user(session)
    await make_user(session)
    await make_post(session, author=ada, body="1234", published_at=LONG_AGO)
    await make_post(session, author=ada, body="1", published_at=datetime(2999, 1, 1, tzinfo=UTC))
    await make_post(session, author=ada)
    deleted = await make_post(session, body="x" * 100, published_at=LONG_AGO)
    await client.delete(f"/posts/{deleted.id}")
    assert (await client.get("/posts/statistics")).json() == {
        "posts": 3,
        "published": 1,
        "authors": 1,
        "average_per_user": 1.0,
        "average_length": pytest.approx(5 / 3),
    }


async def test_by_author_includes_authors_without_posts(
    client: AsyncClient, session: AsyncSession
) -> None:
    ada, bob = await make_user(session, name="Ada"), await make_user(session, name="Bob")
    deleted = await make_user(session)
    await make_post(session, author=deleted)
    await client.delete(f"/users/{deleted.id}")
    latest = [await make_post(session, author=ada) for _ in range(2)][-1]
    await make_post(session, author=ada, published_at=LONG_AGO)
    await client.delete(f"/posts/{(await make_post(session, author=bob)).id}")

    path = "/posts/statistics/by-author"
    page = (await client.get(path)).json()
    assert page["total"] == 2
    assert [(row["name"], row["posts"], row["published"]) for row in page["items"]] == [
        ("Ada", 3, 1),
        ("Bob", 0, 0),
    ]
    assert page["items"][0]["latest_at"] > latest.created_at.isoformat()
    assert page["items"][1]["latest_at"] is None
    second = (await client.get(path, params={"limit": 1, "offset": 1})).json()
    assert [row["name"] for row in second["items"]] == ["Bob"]


async def test_by_day_includes_days_without_posts(
    client: AsyncClient, session: AsyncSession
) -> None:
    author = await make_user(session)
    for moment in [
        datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 3, 2, tzinfo=UTC),
        datetime(2026, 3, 2, 12, tzinfo=UTC),
        datetime(2026, 3, 4, 23, 59, tzinfo=UTC),
        datetime(2026, 3, 5, tzinfo=UTC),
    ]:
        await make_post(session, author=author, published_at=moment)
    deleted = await make_post(session, published_at=datetime(2026, 3, 3, tzinfo=UTC))
    await client.delete(f"/posts/{deleted.id}")
    params: dict[str, Any] = {"until": "2026-03-04", "days": 3}
    assert (await client.get("/posts/statistics/by-day", params=params)).json() == [
        {"day": "2026-03-02", "posts": 2},
        {"day": "2026-03-03", "posts": 0},
        {"day": "2026-03-04", "posts": 1},
    ]


async def test_by_day_excludes_scheduled_posts(client: AsyncClient, session: AsyncSession) -> None:
    await make_post(session, published_at=datetime(2999, 1, 1, tzinfo=UTC))
    params: dict[str, Any] = {"until": "2999-01-01", "days": 1}
    response = await client.get("/posts/statistics/by-day", params=params)
    assert response.json() == [{"day": "2999-01-01", "posts": 0}]


async def test_by_day_defaults_to_thirty_days_until_today(client: AsyncClient) -> None:
    days = (await client.get("/posts/statistics/by-day")).json()
    assert len(days) == 30
    assert days[-1]["day"] == datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize(
    "params",
    [
        {"days": 0},
        {"days": 367},
        {"days": 10**30},
        {"until": "0001-01-01"},
        {"until": "9999-12-31"},
        {"until": "2026-02-30"},
        {"until": "now(); --"},
        {"since": "2026-01-01"},
    ],
)
async def test_invalid_date_range_is_rejected(client: AsyncClient, params: dict[str, Any]) -> None:
    response = await client.get("/posts/statistics/by-day", params=params)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == f"query.{next(iter(params))}"
