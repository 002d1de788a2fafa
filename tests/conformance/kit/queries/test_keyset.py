"""Cursor pages contain every row once and in order: for any rows, sort order and page size."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import DateTime, Index, Select, UnaryExpression, delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateTable

from app.kit.queries.pagination import CursorPageResult, CursorQuery
from app.kit.queries.sorting import SortOrder, order_by
from tests.conformance.support.keyset import read_keyset_page


class SeparateBase(DeclarativeBase):
    """A separate base, outside the service's metadata and migrations."""


class Thing(SeparateBase):
    """A row with a column of each kind that lists sort by."""

    __tablename__ = "kit_things"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    flag: Mapped[bool]
    word: Mapped[str | None]
    moment: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Part(SeparateBase):
    """A row that belongs to a thing."""

    __tablename__ = "kit_parts"

    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int]
    name: Mapped[str]


ALL_THINGS = select(Thing)

# Few distinct values and many rows, so that most sort values are equal.
THINGS = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.integers(0, 2),
            "flag": st.booleans(),
            "word": st.sampled_from([None, "", "a", "B", "ß", "'; --"]),
            "moment": st.sampled_from([None, *(datetime(2026, 1, d, tzinfo=UTC) for d in (1, 2))]),
        }
    ),
    max_size=15,
)


def directions(column: Any) -> list[UnaryExpression[Any]]:
    return [column.asc(), column.desc()]


TERMS: list[UnaryExpression[Any]] = [
    *directions(Thing.number),
    *directions(Thing.flag),
    *(
        clause
        for column in (Thing.word, Thing.moment)
        for term in directions(column)
        for clause in (term.nulls_first(), term.nulls_last())
    ),
]


def by_terms(terms: list[UnaryExpression[Any]]) -> SortOrder:
    return order_by(*terms, tiebreaker=Thing.id)


ORDERS = st.lists(st.sampled_from(TERMS), max_size=3).map(by_terms)
# Before each page: the rows to insert, and the positions of the rows to delete.
CHANGES = st.lists(st.tuples(THINGS, st.sets(st.integers(0, 30), max_size=3)), max_size=4)

on_real_data = settings(
    max_examples=60,
    deadline=None,
    # The explain phase takes far longer than finding a failure.
    phases=[phase for phase in Phase if phase is not Phase.explain],
    # Safe because each example deletes all rows.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
async def things(session: AsyncSession) -> AsyncSession:
    """A session with an empty table, which the test's rollback removes."""
    await session.execute(CreateTable(Thing.metadata.tables["kit_things"]))
    return session


async def store(session: AsyncSession, things: Sequence[dict[str, Any]]) -> None:
    if things:
        await session.execute(insert(Thing), list(things))


async def in_order(session: AsyncSession, by: SortOrder) -> list[int]:
    """Return the ids of all rows in PostgreSQL's sort order."""
    return list(await session.scalars(select(Thing.id).order_by(*by.clauses)))


async def page(
    session: AsyncSession,
    by: SortOrder,
    limit: int,
    cursor: str | None,
    statement: Select[Any] = ALL_THINGS,
) -> CursorPageResult[Thing]:
    query = CursorQuery(limit=limit, cursor=cursor)
    return await read_keyset_page(session, query, statement, by)


async def follow(
    session: AsyncSession,
    by: SortOrder,
    limit: int,
    start: CursorPageResult[Thing],
    direction: str,
    statement: Select[Any] = ALL_THINGS,
) -> list[CursorPageResult[Thing]]:
    """Return all pages from this one on."""
    pages = [start]
    while cursor := getattr(pages[-1], direction):
        pages.append(await page(session, by, limit, cursor, statement))
        assert len(pages) < 100
    return pages


@on_real_data
@given(rows=THINGS, by=ORDERS, limit=st.integers(1, 5))
async def test_pages_contain_all_rows_forward_and_backward(
    things: AsyncSession, rows: list[dict[str, Any]], by: SortOrder, limit: int
) -> None:
    await things.execute(delete(Thing))
    await store(things, rows)
    expected = await in_order(things, by)

    forward = await follow(things, by, limit, await page(things, by, limit, None), "next")
    assert [row.id for one in forward for row in one.items] == expected
    assert forward[0].previous is None
    assert all(len(one.items) == limit for one in forward[:-1])

    back = await follow(things, by, limit, forward[-1], "previous")
    assert [row.id for one in back[::-1] for row in one.items] == expected
    # Both directions return the same pages.
    assert back[-1].next == forward[0].next


@on_real_data
@given(rows=THINGS, by=ORDERS, limit=st.integers(1, 4), changes=CHANGES, back=st.booleans())
async def test_unchanged_rows_appear_once_and_in_order_despite_concurrent_changes(
    things: AsyncSession,
    rows: list[dict[str, Any]],
    by: SortOrder,
    limit: int,
    changes: list[tuple[list[dict[str, Any]], set[int]]],
    back: bool,
) -> None:
    await things.execute(delete(Thing))
    await store(things, rows)
    initial = await in_order(things, by)
    current = await page(things, by, limit, None)
    if back:
        current = (await follow(things, by, limit, current, "next"))[-1]
    read_pages = [[row.id for row in current.items]]
    unused = list(changes)
    while cursor := current.previous if back else current.next:
        if unused:
            added, removed = unused.pop()
            await store(things, added)
            keys = await in_order(things, by)
            deleted = [key for index, key in enumerate(keys) if index in removed]
            await things.execute(delete(Thing).where(Thing.id.in_(deleted)))
        current = await page(things, by, limit, cursor)
        read_pages.append([row.id for row in current.items])

    returned = [key for keys in (read_pages[::-1] if back else read_pages) for key in keys]
    assert len(returned) == len(set(returned))
    final = await in_order(things, by)
    unchanged = [key for key in initial if key in final]
    assert [key for key in returned if key in unchanged] == unchanged


@pytest.mark.parametrize(
    "terms", [[Part.name.asc()], [Thing.number.desc(), Part.name.asc()]], ids=["uniform", "mixed"]
)
async def test_page_sorted_by_a_column_of_a_to_many_join_contains_each_combination_once(
    things: AsyncSession, terms: list[UnaryExpression[Any]]
) -> None:
    await things.execute(CreateTable(Part.metadata.tables["kit_parts"]))
    await store(things, [{"number": n, "flag": True, "word": None, "moment": None} for n in (1, 2)])
    by, long = by_terms(terms), "x" * 2000
    names = ["a", "b", f"{long}a", f"{long}b"]
    keys = await in_order(things, by_terms([]))
    parts = [{"thing_id": key, "name": name} for key in keys for name in names]
    await things.execute(insert(Part), parts)
    joined = ALL_THINGS.join(Part, Part.thing_id == Thing.id)
    expected = list(await things.scalars(joined.with_only_columns(Thing.id).order_by(*by.clauses)))
    pages = await follow(things, by, 1, await page(things, by, 1, None, joined), "next", joined)
    assert [row.id for one in pages for row in one.items] == expected
    pages = await follow(things, by, 1, pages[-1], "previous", joined)
    assert [row.id for one in pages[::-1] for row in one.items] == expected


async def test_previous_page_of_an_empty_page_is_the_last_page(things: AsyncSession) -> None:
    by = order_by(tiebreaker=Thing.id)
    await store(things, [{"number": 1, "flag": True, "word": None, "moment": None}] * 5)
    keys = await in_order(things, by)
    first = await page(things, by, 3, None)
    await things.execute(delete(Thing).where(Thing.id.in_(keys[2:])))
    rest = await page(things, by, 3, first.next)
    assert (rest.items, rest.next) == ([], None)
    before = await page(things, by, 3, rest.previous)
    assert [row.id for row in before.items] == keys[:2]
    assert (before.next, before.previous) == (None, None)


def test_partial_unique_index_is_no_unique_key() -> None:
    class Numbered(SeparateBase):
        __tablename__ = "kit_numbered"
        __table_args__ = (
            Index("ix_first", "first", unique=True, postgresql_where=text("is_current")),
            Index("ix_second", "second", unique=True),
        )
        id: Mapped[int] = mapped_column(primary_key=True)
        first: Mapped[int]
        second: Mapped[int]
        is_current: Mapped[bool]

    with pytest.raises(TypeError, match="not unique"):
        order_by(tiebreaker=Numbered.first)
    assert order_by(tiebreaker=Numbered.second).unique == 1


def test_nullable_sort_term_needs_null_position() -> None:
    with pytest.raises(TypeError, match="nulls_first"):
        order_by(Thing.word.asc(), tiebreaker=Thing.id)


def test_primary_key_is_the_last_sort_term_with_the_direction_of_its_neighbour() -> None:
    for terms, key in [((), "kit_things.id ASC"), ((Thing.number.desc(),), "kit_things.id DESC")]:
        assert str(order_by(*terms, tiebreaker=Thing.id).clauses[-1]) == key
