"""What every record promises: its times, and that it tells nothing about people."""

from typing import Any

from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database
from tests.example.factories import make_post, make_user
from tests.rig.statements import counting


async def test_the_time_of_a_change_is_known_without_reading_it_back(
    session: AsyncSession, database: Database
) -> None:
    user = await make_user(session)
    before = user.updated_at
    with counting(database.engine) as statements:
        user.name = "Ada"
        await session.flush()
        assert user.updated_at > before
    statements.assert_count(1)
    stored = await session.scalar(text("SELECT updated_at FROM users"))
    assert stored == user.updated_at
    assert user.created_at == before or user.created_at < user.updated_at


async def test_times_are_kept_with_their_zone(session: AsyncSession) -> None:
    user = await make_user(session)
    await session.refresh(user)
    assert user.created_at.tzinfo is not None


async def test_a_record_prints_its_key_and_nothing_about_people(session: AsyncSession) -> None:
    user = await make_user(session, email="ada@example.org", name="Ada")
    post = await make_post(session, author=user)
    assert repr(user) == f"<User {user.id}>"
    assert "Ada" not in repr(post) + str(user)


async def test_no_answer_has_a_password(app: FastAPI) -> None:
    document = app.openapi()
    answers = {
        name: schema.get("properties", {})
        for name, schema in document["components"]["schemas"].items()
        if not name.endswith(("Create", "Changes", "In"))
    }
    assert "UserOut" in answers
    assert not [name for name, fields in answers.items() if "password" in str(list(fields))]


async def test_the_hash_of_a_password_cannot_be_set(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session)
    new: dict[str, Any] = {"email": "a@example.org", "name": "A", "password": "long enough"}
    for sent in (
        await client.post("/users", json=new | {"hashed_password": "x"}),
        await client.patch(f"/users/{user.id}", json={"hashed_password": "x"}),
    ):
        assert sent.status_code == 422
        assert [error["field"] for error in sent.json()["errors"]] == ["body.hashed_password"]
