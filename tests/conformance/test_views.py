"""Views return what the entities with their relationships would, in one statement."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import selectinload

from app.kit.db.session import Database
from app.kit.db.sorting import order
from app.kit.errors import NotFound
from app.kit.page import CursorQuery, PageQuery
from app.kit.queries.view import View
from tests.conformance.features.library.models import (
    Binding,
    LibraryAudioBook,
    LibraryBook,
    LibraryCopy,
    LibraryShelf,
    LibrarySubject,
    LibraryWriter,
)
from tests.conformance.features.library.schemas import BookChanges, BookIn, BookOut, ShelfOut
from tests.rig.statements import counting

BOOKS = View(BookOut, LibraryBook)
AUDIO_BOOKS = View(BookOut, LibraryAudioBook)
SHELVES = View(ShelfOut, LibraryShelf)

BY_TITLE = order(LibraryBook.id, LibraryBook.title.asc())
RELATED = (
    selectinload(LibraryBook.writer),
    selectinload(LibraryBook.sequel_of).selectinload(LibraryBook.writer),
    selectinload(LibraryBook.sequels).selectinload(LibraryBook.writer),
    selectinload(LibraryBook.subjects),
)


@pytest.fixture
def own_database(own_app: FastAPI) -> Database:
    """A database of the test's own, for real commits."""
    found: Database = own_app.state.database
    return found


@pytest.fixture
async def books(session: AsyncSession) -> list[LibraryBook]:
    """Books with and without each relationship."""
    ada, mary = LibraryWriter(name='Ada "L"'), LibraryWriter(name="Mary 😀")
    steam, logic = LibrarySubject(name="steam"), LibrarySubject(name="logic")
    first = LibraryBook(
        title="One",
        meta={"pages": 10, "nested": {"list": [1, None, "é"]}},
        binding=Binding.HARD,
        price=Decimal("12.50"),
        words=["a", "b,c", '"'],
        printed_on=date(1843, 10, 1),
        borrowed_at=datetime(2026, 11, 28, 12, 30, 0, 120, tzinfo=UTC),
        writer=ada,
        subjects=[steam, logic],
    )
    second = LibraryBook(title="Two", writer=mary, sequel_of=first, subjects=[logic])
    third = LibraryAudioBook(title="Three", sequel_of=first, price=Decimal("0.10"), minutes=5)
    session.add_all([first, second, third, LibraryBook(title="Four")])
    await session.commit()
    return [first, second, third]


async def entities(session: AsyncSession, model: type[LibraryBook] = LibraryBook) -> list[str]:
    """The books as JSON, by title, from entities with their relationships."""
    statement = select(model).order_by(model.title).options(*RELATED)
    # Read from the database, in place of objects that the session holds.
    session.expunge_all()
    found = await session.scalars(statement)
    return as_json([BookOut.model_validate(each) for each in found])


def as_json(rows: Sequence[BaseModel]) -> list[str]:
    return [row.model_dump_json() for row in rows]


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize(("view", "model"), [(BOOKS, LibraryBook), (AUDIO_BOOKS, LibraryAudioBook)])
async def test_view_returns_the_json_of_entities_with_relationships(
    session: AsyncSession, view: View[BookOut], model: type[LibraryBook]
) -> None:
    statement = view.select().order_by(model.title)

    assert as_json(await view.list(session, statement)) == await entities(session, model)


async def test_view_reads_row_with_relationships_in_one_statement(
    session: AsyncSession, database: Database, books: list[LibraryBook]
) -> None:
    engine: AsyncEngine = database.engine
    with counting(engine) as statements:
        found = await BOOKS.get(session, books[0].id)

    assert len(statements) == 1
    assert found.model_dump_json() in await entities(session)


async def test_view_raises_not_found_for_missing_and_deleted_rows(
    session: AsyncSession, books: list[LibraryBook]
) -> None:
    await session.delete(books[2])
    await session.commit()

    with pytest.raises(NotFound):
        await BOOKS.get(session, books[2].id)
    assert "Three" not in str(await BOOKS.list(session, BOOKS.select()))


@pytest.mark.usefixtures("books")
async def test_view_hides_deleted_related_rows(session: AsyncSession) -> None:
    writer = await session.scalar(select(LibraryWriter).where(LibraryWriter.name.startswith("Ada")))
    assert writer is not None
    await session.delete(writer)
    await session.commit()

    found = await BOOKS.first(session, BOOKS.select().where(LibraryBook.title == "One"))
    assert found is not None
    assert found.writer is None


@pytest.mark.usefixtures("books")
async def test_statements_that_differ_in_values_share_one_compilation(
    session: AsyncSession,
) -> None:
    async def titles(*wanted: str) -> list[str]:
        statement = BOOKS.select().where(LibraryBook.title.in_(wanted)).order_by(LibraryBook.title)
        return [book.title for book in await BOOKS.list(session, statement)]

    async def title(wanted: str) -> str | None:
        found = await BOOKS.first(session, BOOKS.select().where(LibraryBook.title == wanted))
        return found.title if found else None

    assert await titles("One", "Two") == ["One", "Two"]
    assert await titles("Three") == ["Three"]
    assert [await title(each) for each in ("One", "Two", "none")] == ["One", "Two", None]


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
async def test_offset_pages_together_are_the_whole_list(session: AsyncSession, limit: int) -> None:
    # The join finds each book once for each subject.
    joined = BOOKS.select().outerjoin(LibraryBook.subjects).order_by(LibraryBook.title)
    for statement in (BOOKS.select().order_by(LibraryBook.title), joined):
        rows: list[BookOut] = []
        for offset in range(0, 6, limit):
            page = await BOOKS.page(session, PageQuery(limit=limit, offset=offset), statement)
            assert page.total == 4
            rows += page.items
        assert as_json(rows) == await entities(session)


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
async def test_cursor_pages_together_are_the_whole_list(session: AsyncSession, limit: int) -> None:
    rows: list[BookOut] = []
    cursor: str | None = None
    while True:
        query = CursorQuery(limit=limit, cursor=cursor)
        page = await BOOKS.feed(session, query, BOOKS.select(), BY_TITLE)
        rows += page.items
        cursor = page.next
        if cursor is None:
            break
    assert as_json(rows) == await entities(session)


async def test_view_of_composite_key_shows_related_rows(session: AsyncSession) -> None:
    shelves = [
        LibraryShelf(room=room, number=1, copies=[LibraryCopy(label=room)]) for room in ("a", "b")
    ]
    session.add_all([*shelves, LibraryCopy(label="lost")])
    await session.commit()

    found = await SHELVES.list(session, SHELVES.select().order_by(LibraryShelf.room))
    assert [each.model_dump() for each in found] == [
        {"room": room, "number": 1, "copies": [{"label": room}]} for room in ("a", "b")
    ]


async def test_insert_returns_row_with_defaults_and_relationships(session: AsyncSession) -> None:
    writer = LibraryWriter(name="Ada")
    session.add(writer)
    await session.commit()

    new = BookIn(title="New", meta={"a": 1}, price=Decimal("1.5"), writer_id=writer.id)
    created = await BOOKS.insert(session, new)
    spoken = await AUDIO_BOOKS.insert(session, BookIn(title="Spoken"))

    assert created.writer is not None
    assert (created.meta, created.version, created.twice) == ({"a": 1}, 1, Decimal("3.00"))
    assert (created.kind, spoken.kind) == ("book", "audio")
    assert as_json([created, spoken]) == await entities(session)


async def test_update_sets_the_fields_that_were_sent(
    session: AsyncSession, books: list[LibraryBook]
) -> None:
    key = books[0].id

    changed = await BOOKS.update(session, key, BookChanges(meta={"b": 2}, price=None))

    assert (changed.title, changed.meta, changed.price) == ("One", {"b": 2}, None)
    assert changed.version == 2
    assert changed.updated_at > changed.created_at
    assert changed.model_dump_json() in await entities(session)
    assert await BOOKS.update(session, key, BookChanges()) == changed


async def test_update_raises_not_found_for_missing_and_deleted_rows(
    session: AsyncSession, books: list[LibraryBook]
) -> None:
    await session.delete(books[0])
    await session.commit()

    with pytest.raises(NotFound):
        await BOOKS.update(session, books[0].id, BookChanges(title="Changed"))


async def test_insert_by_the_database_is_committed_when_it_returns(
    own_database: Database,
) -> None:
    created = await BOOKS.insert(own_database, BookIn(title="Stored"))

    assert await BOOKS.get(own_database, created.id) == created
    async with own_database.transaction() as session:
        await BOOKS.update(session, created.id, BookChanges(title="Renamed"))
        # The session's own transaction sees it, others do not yet.
        assert (await BOOKS.get(session, created.id)).title == "Renamed"
        assert (await BOOKS.get(own_database, created.id)).title == "Stored"


async def test_name_that_is_no_column_is_a_type_error(session: AsyncSession) -> None:
    values: dict[str, Any] = {"title": "x", "nothing": 1}

    with pytest.raises(TypeError, match="nothing"):
        await BOOKS.insert(session, values)
    with pytest.raises(TypeError, match="nothing"):
        await BOOKS.update(session, 1, {"nothing": 1})
