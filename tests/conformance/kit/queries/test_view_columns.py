"""A view reads in one statement the same data as entities with their relationships."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Enum, ForeignKey, Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    mapped_column,
    relationship,
    selectinload,
)
from sqlalchemy.schema import CreateTable

from app.kit.db.session import Database
from app.kit.queries.compiled.columns import columns_of
from app.kit.queries.view import View
from tests.conformance.support.related_models import Book, Label, Own, Shelf
from tests.conformance.support.simple_models import Kind
from tests.support.statements import counting


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class LabelOut(Out):
    name: str


class BookOut(Out):
    number: int
    title: str
    price: Decimal | None
    weight: float
    is_lent: bool
    kind: Kind
    printed_on: date
    lent_at: datetime | None
    code: UUID
    words: list[str]
    notes: dict[str, Any]


class PlaceOut(Out):
    number: int
    title: str
    labels: list[LabelOut]


class ShelfOut(Out):
    title: str
    lasts: timedelta
    number: int
    above: PlaceOut | None
    below: list[PlaceOut]
    books: list[BookOut]
    labels: list[LabelOut]


SHELVES = View(ShelfOut, Shelf)
PLACES = selectinload(Shelf.above), selectinload(Shelf.below)
OBJECTS = (
    *PLACES,
    *(place.selectinload(Shelf.labels) for place in PLACES),
    selectinload(Shelf.books),
    selectinload(Shelf.labels),
)

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5)
NUMBERS = st.decimals(-(10**17), 10**17, places=12, allow_nan=False)
DAY = datetime(2026, 1, 1, tzinfo=UTC)
TIMESTAMPS = st.timedeltas(timedelta(days=-40_000), timedelta(days=40_000)).map(DAY.__add__)
BOOKS = st.builds(
    Book,
    title=TEXTS,
    price=st.none() | NUMBERS,
    weight=st.floats(allow_nan=False, allow_infinity=False),
    is_lent=st.booleans(),
    kind=st.sampled_from(Kind),
    printed_on=st.dates(),
    lent_at=st.none() | TIMESTAMPS,
    code=st.uuids(),
    words=st.lists(TEXTS, max_size=2),
    notes=st.dictionaries(TEXTS, st.integers() | TEXTS, max_size=2),
)
ROWS = st.lists(st.tuples(st.lists(BOOKS, max_size=3), st.sets(st.sampled_from("abc"))), max_size=4)


@pytest.fixture
async def tables(session: AsyncSession) -> AsyncSession:
    """A session with the tables of these tests."""
    connection = await session.connection()
    for kinds in (Book.__table__.c.kind.type, Book.__table__.c.was.type):
        assert isinstance(kinds, Enum)
        await connection.run_sync(kinds.create)
    for table in Own.metadata.sorted_tables:
        await session.execute(CreateTable(table))
    session.add_all(Label(name=name) for name in "cba")
    await session.flush()
    return session


async def entities(session: AsyncSession, statement: Select[Any]) -> Sequence[Any]:
    session.expunge_all()
    return (await session.scalars(statement)).all()


async def list_shelves(session: AsyncSession, statement: Select[Any]) -> Sequence[Any]:
    return await SHELVES.list(session, statement)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS)
async def test_view_equals_serialized_entities(
    tables: AsyncSession, rows: list[tuple[list[Book], set[str]]]
) -> None:
    tables.expunge_all()
    for table in reversed(Own.metadata.sorted_tables):
        if table is not Label.__table__:
            await tables.execute(delete(table))
    labels = {label.name: label for label in await tables.scalars(select(Label))}
    shelf: Shelf | None = None
    for number, (books, names) in enumerate(rows):
        upper = shelf if number % 2 else None
        shelf = Shelf(number=number, name=f"{number}", above=upper, books=books)
        shelf.labels = [labels[name] for name in names]
        tables.add(shelf)
    await tables.flush()
    everything = select(Shelf).options(*OBJECTS).order_by(Shelf.number)
    expected = [ShelfOut.model_validate(row) for row in await entities(tables, everything)]
    assert await list_shelves(tables, SHELVES.select().order_by(Shelf.number)) == expected


async def make_shelves(session: AsyncSession) -> None:
    """Store a shelf with two shelves below it, one of which has a label."""
    labels = [await session.get_one(Label, name) for name in "cab"]
    top = Shelf(number=1, name="top", labels=labels)
    session.add(Shelf(number=2, name="left", above=top, labels=labels[1:2]))
    session.add(Shelf(number=3, name="right", above=top))
    await session.flush()


async def test_relationships_are_read_in_one_statement(
    tables: AsyncSession, database: Database
) -> None:
    await make_shelves(tables)
    with counting(database.engine) as statements:
        (top,) = await list_shelves(tables, SHELVES.select().where(Shelf.name == "top"))
    statements.assert_count(1)
    assert [label.name for label in top.labels] == ["a", "b", "c"]
    assert [below.title for below in top.below] == ["shelf right", "shelf left"]


async def test_view_statement_can_be_filtered_and_sorted(tables: AsyncSession) -> None:
    await make_shelves(tables)
    upper = aliased(Shelf)
    below_top = SHELVES.select().join(upper, Shelf.above).where(upper.name == "top")
    found = await list_shelves(tables, below_top.order_by(Shelf.name.desc()))
    assert [shelf.title for shelf in found] == ["shelf right", "shelf left"]
    with_a_label = SHELVES.select().where(Shelf.labels.any(Label.name == "b"))
    assert [shelf.number for shelf in await list_shelves(tables, with_a_label)] == [1]


class ReversedLabels(Out):
    backwards: list[LabelOut]


async def test_view_keeps_an_order_by_association_column(tables: AsyncSession) -> None:
    await make_shelves(tables)
    view = View(ReversedLabels, Shelf)
    (top,) = await view.list(tables, view.select().where(Shelf.name == "top"))
    assert [label.name for label in top.backwards] == ["c", "b", "a"]


class Unknown(Out):
    pages: int


class NoSchema(Out):
    books: list[int]


class TwoSchemas(Out):
    books: list[BookOut | LabelOut]


class UnsupportedType(Out):
    below: list["IntervalOut"]


class IntervalOut(Out):
    lasts: timedelta


class Proxy(Out):
    book_titles: list[str]


class ComputedInPython(Out):
    letters: int


class EnumNames(Out):
    books: list["EnumNameOut"]


class EnumNameOut(Out):
    was: Kind


class Recursive(Out):
    below: list["Recursive"]


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (Unknown, "Unknown.pages: Shelf has no attribute 'pages'"),
        (NoSchema, "NoSchema.books: the annotation of a relationship needs exactly one schema"),
        (TwoSchemas, "TwoSchemas.books: the annotation of a relationship needs exactly one schema"),
        (UnsupportedType, "IntervalOut.lasts: Interval("),
        (Proxy, "Proxy.book_titles: Shelf.book_titles is computed in Python"),
        (ComputedInPython, "ComputedInPython.letters: Shelf.letters cannot be computed in SQL"),
        (EnumNames, "EnumNameOut.was: the column stores the names of the enum members"),
        (Recursive, "Recursive contains itself"),
    ],
)
def test_unsupported_attribute_is_rejected_by_name(schema: type[BaseModel], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        columns_of(schema, Shelf)


def test_view_can_be_declared_before_all_models() -> None:
    class Early(DeclarativeBase):
        """Base of models of which one refers to a model that is declared later."""

    class First(Early):
        __tablename__ = "kit_first"
        id: Mapped[int] = mapped_column(primary_key=True)
        later_id: Mapped[int] = mapped_column(ForeignKey("kit_later.id"))
        later: Mapped["Later"] = relationship("Later")

    first = View(Unknown, First)

    class Later(Early):
        __tablename__ = "kit_later"
        id: Mapped[int] = mapped_column(primary_key=True)

    with pytest.raises(TypeError, match="First has no attribute"):
        columns_of(first.schema, first.model)
