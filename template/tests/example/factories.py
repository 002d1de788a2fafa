"""Factories for users, tags and posts. Each value has a valid default."""

from itertools import count
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.tags.models import Tag
from app.example.users.models import User

M = TypeVar("M")

_numbers = count(1)


async def make_user(session: AsyncSession, **values: Any) -> User:
    """Store a user. The password is not hashed, because hashing is slow."""
    number = next(_numbers)
    defaults = {"email": f"user-{number}@example.org", "name": f"User {number}"}
    return await _store(session, User(hashed_password="-", **defaults | values))


async def make_tag(session: AsyncSession, name: str | None = None) -> Tag:
    """Store a tag."""
    return await _store(session, Tag(name=name or f"tag-{next(_numbers)}"))


async def make_post(session: AsyncSession, **values: Any) -> Post:
    """Store a post, by default with a new author."""
    author = values.pop("author", None) or await make_user(session)
    title = f"Post {next(_numbers)}"
    return await _store(session, Post(**{"author": author, "title": title, "tags": []} | values))


def as_json(key: object) -> Any:
    """Return an id as it appears in JSON: integers unchanged, others as text."""
    return key if isinstance(key, int) else str(key)


async def _store(session: AsyncSession, record: M) -> M:
    session.add(record)
    await session.commit()
    return record
