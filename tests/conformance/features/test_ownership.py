"""Deleting a row deletes its children through every kind of relationship, and nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from app.kit.db.base import TimestampedModel
from app.kit.db.deletion import delete_row, delete_where
from app.kit.queries.repository import Repository
from tests.conformance.features.ownership.models import (
    Account,
    Address,
    Badge,
    Folder,
    Login,
    Region,
    Shop,
    Writer,
)
from tests.conformance.features.rows import visible

Delete = Callable[[AsyncSession, Any], Awaitable[None]]


async def by_object(session: AsyncSession, record: TimestampedModel) -> None:
    await delete_row(session, record)


async def by_criteria(session: AsyncSession, record: Any) -> None:
    assert await delete_where(session, type(record), type(record).id == record.id) == 1


async def by_id(session: AsyncSession, record: Any) -> None:
    class Records(Repository[Any]):
        model = type(record)

    session.expunge_all()
    await Records(session).delete(record.id)


async def by_session(session: AsyncSession, record: TimestampedModel) -> None:
    await session.delete(record)
    await session.flush()


every_delete_method = pytest.mark.parametrize("delete", [by_object, by_criteria, by_id, by_session])


async def add(session: AsyncSession, *records: TimestampedModel) -> None:
    session.add_all(records)
    await session.flush()


@every_delete_method
async def test_composite_foreign_key_cascades(session: AsyncSession, delete: Delete) -> None:
    north, south = Region(tenant=1, code="n", shops=[]), Region(tenant=1, code="s", shops=[])
    other = Region(tenant=2, code="n", shops=[])
    kept = [Shop(region=south), Shop(region=other)]
    await add(session, north, Shop(region=north), *kept)

    await delete(session, north)

    assert await visible(session, Shop) == sorted(shop.id for shop in kept)
    assert await visible(session, Region) == sorted([south.id, other.id])


@every_delete_method
async def test_self_reference_cascades_at_every_level(
    session: AsyncSession, delete: Delete
) -> None:
    root = Folder(children=[Folder(children=[Folder(children=[])])])
    below = Folder(children=[Folder(children=[])])
    above = Folder(children=[below])
    await add(session, root, above)
    kept = above.id

    await delete(session, root)
    await delete(session, below)

    assert await visible(session, Folder) == [kept]


@pytest.mark.parametrize("delete", [by_object, by_session])
async def test_row_of_a_tree_is_deleted_without_its_parent(
    session: AsyncSession, delete: Delete
) -> None:
    root = Folder(children=[Folder(children=[Folder(children=[])])])
    await add(session, root)
    child = root.children[0].id
    session.expunge_all()
    folder = await session.get_one(Folder, child, options=[selectinload(Folder.children)])
    await delete(session, folder)
    assert await visible(session, Folder) == [root.id]


@every_delete_method
async def test_relationship_to_a_column_other_than_id_cascades(
    session: AsyncSession, delete: Delete
) -> None:
    ada = Account(name="ada", logins=[Login()], badge=Badge())
    bob = Account(name="bob", logins=[login := Login()], badge=(badge := Badge()))
    await add(session, ada, bob)

    await delete(session, ada)

    assert await visible(session, Login) == [login.id]
    assert await visible(session, Badge) == [badge.id]


async def test_many_to_one_cascades_to_its_own_target(session: AsyncSession) -> None:
    # Writers and addresses have different ids, so that comparing the wrong column fails the test.
    first, second = Address(city="Turin"), Address(city="Oslo")
    await add(session, first, second)
    ada, bob = Writer(name="Ada", address=second), Writer(name="Bob", address=first)
    await add(session, ada, bob)

    await delete_row(session, ada)

    assert await visible(session, Address) == [first.id]
    assert await visible(session, Writer) == [bob.id]
