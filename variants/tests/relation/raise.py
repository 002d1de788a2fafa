"""What the lazy strategy promises: touching a relation that was not loaded raises, always."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from tests.example.factories import make_post


async def test_a_relation_that_was_not_loaded_raises(session: AsyncSession) -> None:
    await make_post(session)
    session.expunge_all()
    post = (await session.scalars(select(Post))).one()
    with pytest.raises(InvalidRequestError, match="lazy='raise'"):
        _ = post.author
    with pytest.raises(InvalidRequestError, match="lazy='raise'"):
        _ = post.tags


async def test_even_a_target_that_is_in_memory_raises(session: AsyncSession) -> None:
    author = (await make_post(session)).author
    session.expire_all()
    await session.refresh(author)
    post = (await session.scalars(select(Post))).one()
    with pytest.raises(InvalidRequestError, match="lazy='raise'"):
        _ = post.author


async def test_a_relation_can_be_loaded_by_name(session: AsyncSession) -> None:
    post = await make_post(session)
    session.expire_all()
    await session.refresh(post, ["author", "tags"])
    assert post.tags == []
