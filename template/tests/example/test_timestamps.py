"""Features of every model: timestamps, and a repr without personal data."""

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database
from tests.example.factories import make_post, make_user
from tests.support.statements import counting


async def test_updated_at_is_known_without_a_refresh(
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


async def test_timestamps_have_a_time_zone(session: AsyncSession) -> None:
    user = await make_user(session)
    await session.refresh(user)
    assert user.created_at.tzinfo is not None


async def test_repr_contains_no_personal_data(session: AsyncSession) -> None:
    user = await make_user(session, email="ada@example.org", name="Ada")
    post = await make_post(session, author=user)
    assert repr(user) == f"<User {user.id}>"
    assert "Ada" not in repr(post) + str(user)


async def test_no_response_contains_a_password(app: FastAPI) -> None:
    openapi = app.openapi()
    response_models = {
        name: schema.get("properties", {})
        for name, schema in openapi["components"]["schemas"].items()
        if not name.endswith(("Create", "Changes", "In"))
    }
    assert "UserOut" in response_models
    assert not [name for name, fields in response_models.items() if "password" in str(list(fields))]
