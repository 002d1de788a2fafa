"""lazy="raise_on_sql": access raises if it would need a query."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from tests.example.factories import make_post


async def test_relationship_that_needs_a_query_raises(session: AsyncSession) -> None:
    await make_post(session)
    session.expunge_all()
    post = (await session.scalars(select(Post))).one()
    with pytest.raises(InvalidRequestError, match="raise_on_sql"):
        _ = post.author
    with pytest.raises(InvalidRequestError, match="raise_on_sql"):
        _ = post.tags


async def test_target_in_the_identity_map_is_returned(session: AsyncSession) -> None:
    author = (await make_post(session)).author
    session.expire_all()
    await session.refresh(author)
    post = (await session.scalars(select(Post))).one()
    assert post.author is author


async def test_relationship_can_be_loaded_by_name(session: AsyncSession) -> None:
    post = await make_post(session)
    session.expire_all()
    await session.refresh(post, ["author", "tags"])
    assert post.tags == []
