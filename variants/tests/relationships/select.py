"""lazy="select": relationships load when they are awaited."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from tests.example.factories import make_post, make_tag


async def test_relationship_loads_when_awaited(session: AsyncSession) -> None:
    await make_post(session, tags=[await make_tag(session, "python")])
    session.expunge_all()
    post = (await session.scalars(select(Post))).one()
    assert [tag.name for tag in await post.awaitable_attrs.tags] == ["python"]
    assert (await post.awaitable_attrs.author).name


async def test_relationship_that_is_not_awaited_raises(session: AsyncSession) -> None:
    await make_post(session)
    session.expunge_all()
    post = (await session.scalars(select(Post))).one()
    with pytest.raises(MissingGreenlet):
        _ = post.tags
