"""User and profile endpoints."""

from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.users.models import Profile, User
from tests.example.factories import make_user

NEW = {"email": "Ada@Example.org", "name": "Ada", "password": "long enough"}


async def test_user_is_created_with_profile(client: AsyncClient) -> None:
    profile = {"bio": "Counts.", "website": None}
    created = await client.post("/users", json=NEW | {"profile": profile})
    assert created.status_code == 201
    read = await client.get(f"/users/{created.json()['id']}")
    assert read.json() == created.json()
    assert read.json()["profile"] == profile
    assert read.json()["email"] == "ada@example.org"


async def test_password_is_hashed_and_not_returned(
    client: AsyncClient, session: AsyncSession
) -> None:
    response = await client.post("/users", json=NEW)
    assert "password" not in response.text
    hashed = await session.scalar(select(User.hashed_password))
    assert hashed is not None
    assert hashed.startswith("$argon2id$")


async def test_duplicate_email_is_a_conflict(client: AsyncClient, session: AsyncSession) -> None:
    await make_user(session, email="ada@example.org")
    response = await client.post("/users", json=NEW | {"profile": {"bio": "Twice."}})
    assert response.status_code == 409
    assert response.json()["errors"][0]["field"] == "body.email"
    # The profile is rolled back together with the user.
    assert await session.scalar(select(func.count()).select_from(Profile)) == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "not an address"}, "body.email"),
        ({"email": "a\x00@example.org"}, "body.email"),
        ({"name": "  "}, "body.name"),
        ({"name": "x" * 201}, "body.name"),
        ({"name": "a\x00b"}, "body.name"),
        ({"password": "short"}, "body.password"),
        ({"hashed_password": "mine"}, "body.hashed_password"),
        ({"profile": {"biography": ""}}, "body.profile.biography"),
    ],
)
async def test_invalid_field_is_reported_and_nothing_is_stored(
    client: AsyncClient, session: AsyncSession, change: dict[str, Any], field: str
) -> None:
    response = await client.post("/users", json=NEW | change)
    assert response.status_code == 422
    assert field in [error["field"] for error in response.json()["errors"]]
    assert await session.scalar(select(func.count()).select_from(User)) == 0


async def test_patch_keeps_omitted_fields(client: AsyncClient, session: AsyncSession) -> None:
    user = await make_user(session, name="Ada", email="ada@example.org")
    response = await client.patch(f"/users/{user.id}", json={"is_active": False})
    assert response.status_code == 200
    body = response.json()
    assert (body["name"], body["email"], body["is_active"]) == ("Ada", "ada@example.org", False)
    assert body["updated_at"] > body["created_at"]


@pytest.mark.parametrize("change", [{"name": None}, {"nickname": "A"}, {"hashed_password": "x"}])
async def test_patch_with_null_or_unknown_field_is_rejected(
    client: AsyncClient, session: AsyncSession, change: dict[str, Any]
) -> None:
    user = await make_user(session)
    assert (await client.patch(f"/users/{user.id}", json=change)).status_code == 422


async def test_patch_to_duplicate_email_is_a_conflict(
    client: AsyncClient, session: AsyncSession
) -> None:
    await make_user(session, email="taken@example.org")
    user = await make_user(session)
    response = await client.patch(f"/users/{user.id}", json={"email": "TAKEN@example.org"})
    assert response.status_code == 409


async def test_deleted_user_is_not_found(client: AsyncClient, session: AsyncSession) -> None:
    user = await make_user(session)
    assert (await client.delete(f"/users/{user.id}")).status_code == 204
    assert (await client.get(f"/users/{user.id}")).status_code == 404
    assert (await client.patch(f"/users/{user.id}", json={})).status_code == 404
    assert (await client.delete(f"/users/{user.id}")).status_code == 404
    assert (await client.get("/users")).json()["total"] == 0


async def test_email_of_deleted_user_can_be_reused(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session, email="ada@example.org")
    await client.delete(f"/users/{user.id}")
    assert (await client.post("/users", json=NEW)).status_code == 201


async def test_pages_have_no_gaps_or_overlaps(client: AsyncClient, session: AsyncSession) -> None:
    users = [await make_user(session) for _ in range(5)]
    found: list[str] = []
    for offset in (0, 2, 4):
        page = (await client.get("/users", params={"limit": 2, "offset": offset})).json()
        assert page["total"] == 5
        found += [user["id"] for user in page["items"]]
    assert found == [str(user.id) if isinstance(found[0], str) else user.id for user in users[::-1]]


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 101}, {"offset": -1}, {"limit": "ten"}, {"page": 2}]
)
async def test_invalid_page_parameters_are_rejected(
    client: AsyncClient, params: dict[str, Any]
) -> None:
    response = await client.get("/users", params=params)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == f"query.{next(iter(params))}"


async def test_search_treats_wildcards_literally(
    client: AsyncClient, session: AsyncSession
) -> None:
    await make_user(session, name="100% Ada")
    await make_user(session, name="1000 Ada")
    await make_user(session, name="back\\slash")

    async def found(q: str) -> list[str]:
        response = await client.get("/users", params={"q": q})
        assert response.status_code == 200
        return [user["name"] for user in response.json()["items"]]

    assert await found("100%") == ["100% Ada"]
    assert await found("ADA") == ["1000 Ada", "100% Ada"]
    assert await found("k\\s") == ["back\\slash"]
    assert await found("_") == []
    assert await found("100%\\") == []


async def test_filters_can_be_combined(client: AsyncClient, session: AsyncSession) -> None:
    await make_user(session, name="Ada", is_active=True)
    await make_user(session, name="Adam", is_active=False)
    response = await client.get("/users", params={"q": "ada", "is_active": False})
    assert [user["name"] for user in response.json()["items"]] == ["Adam"]


async def test_profile_is_created_replaced_and_deleted(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session, profile=None)
    path = f"/users/{user.id}/profile"
    assert (await client.delete(path)).status_code == 404
    assert (await client.put(path, json={"bio": "One."})).json() == {"bio": "One.", "website": None}
    site = "https://example.org"
    assert (await client.put(path, json={"website": site})).json() == {"bio": "", "website": site}
    assert (await client.get(f"/users/{user.id}")).json()["profile"]["website"] == site
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(f"/users/{user.id}")).json()["profile"] is None


async def test_database_requires_lowercase_emails(
    session: AsyncSession, client: AsyncClient
) -> None:
    user = await make_user(session)
    statement = text("UPDATE users SET email = 'UPPER@example.org' WHERE id = :id")
    with pytest.raises(Exception, match="email_is_lower_case"):
        await session.execute(statement, {"id": user.id})
