"""Primary keys are UUIDs ordered by time."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.tags.models import Tag
from tests.example.factories import make_tag


async def test_ids_are_uuid_version_7_and_ordered_by_time(session: AsyncSession) -> None:
    tags = [await make_tag(session) for _ in range(50)]
    assert {tag.id.version for tag in tags} == {7}
    ordered = await session.scalars(select(Tag.id).order_by(Tag.id))
    assert ordered.all() == [tag.id for tag in tags]


async def test_raw_insert_without_an_id_fails(session: AsyncSession) -> None:
    # There is no server default: a random UUID would silently break the order.
    with pytest.raises(IntegrityError):
        await session.execute(text("INSERT INTO tags (name) VALUES ('by-hand')"))
