"""Views return the same rows as entities with their relationships, in one statement."""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy import QueuePool, Select, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import selectinload

from app.kit.db.base import primary_key
from app.kit.db.session import Database
from app.kit.errors.problems import NotFound
from app.kit.queries.compiled.results import BATCH_SIZE
from app.kit.queries.pagination import CursorQuery, PageQuery
from app.kit.queries.sorting import order_by
from app.kit.queries.view import View
from tests.conformance.features.library.models import (
    Binding,
    LibraryAudioBook,
    LibraryBook,
    LibraryCopy,
    LibraryEssay,
    LibraryReview,
    LibraryShelf,
    LibrarySubject,
    LibraryWriter,
)
from tests.conformance.features.library.schemas import (
    BookChanges,
    BookIn,
    BookOut,
    EssayOut,
    ReviewOut,
    ShelfOut,
)
from tests.support.statements import counting

BOOKS = View(BookOut, LibraryBook)
AUDIO_BOOKS = View(BookOut, LibraryAudioBook)
REVIEWS = View(ReviewOut, LibraryReview)
ESSAYS = View(EssayOut, LibraryEssay)
SHELVES = View(ShelfOut, LibraryShelf)

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5)
JSON = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT
DAY = datetime(2026, 1, 1, tzinfo=UTC)
BOOK = st.fixed_dictionaries(
    {
        "title": TEXT,
        "meta": st.dictionaries(TEXT, JSON | st.lists(JSON, max_size=2), max_size=2),
        "binding": st.sampled_from(Binding),
        "price": st.none() | st.decimals(-(10**7), 10**7, places=2),
        "words": st.lists(TEXT, max_size=3),
        "printed_on": st.none() | st.dates(),
        "borrowed_at": st.none()
        | st.timedeltas(timedelta(days=-40_000), timedelta(days=40_000)).map(DAY.__add__),
    }
)
# Is an audio book, has a writer, index of the previous book, stars.
Links = tuple[bool, bool, int, list[int]]
LINKS = st.tuples(
    st.booleans(), st.booleans(), st.integers(0, 4), st.lists(st.integers(1, 5), max_size=2)
)

BY_TITLE = order_by(LibraryBook.title.asc(), tiebreaker=LibraryBook.id)
SEQUELS = selectinload(LibraryBook.sequel_of), selectinload(LibraryBook.sequels)
RELATED: dict[type[Any], Sequence[Any]] = {
    LibraryBook: (
        selectinload(LibraryBook.writer),
        selectinload(LibraryBook.subjects),
        selectinload(LibraryBook.reviews),
        *(each.selectinload(LibraryBook.writer) for each in SEQUELS),
        *(each.selectinload(LibraryBook.reviews) for each in SEQUELS),
    ),
    LibraryReview: (),
    LibraryEssay: (selectinload(LibraryEssay.book),),
}
RELATED[LibraryAudioBook] = RELATED[LibraryBook]
VIEWS: list[View[Any]] = [BOOKS, AUDIO_BOOKS, REVIEWS, ESSAYS]


@pytest.fixture
def own_database(own_app: FastAPI) -> Database:
    """A separate database, for real commits."""
    found: Database = own_app.state.database
    return found


@pytest.fixture
async def books(session: AsyncSession) -> list[LibraryBook]:
    """Stored books with and without each relationship."""
    return await make_books(session)


async def make_books(session: AsyncSession) -> list[LibraryBook]:
    """Store books with and without each relationship."""
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
    deleted = LibraryReview(stars=1)
    first.reviews = [
        LibraryReview(stars=3),
        LibraryEssay(stars=2, text="Föö", written_in=[*Binding]),
        deleted,
    ]
    second.reviews = [LibraryEssay(stars=5, text="")]
    session.add_all([first, second, third, LibraryBook(title="Four")])
    await session.flush()
    await session.delete(deleted)
    await session.commit()
    return [first, second, third]


async def entities(session: AsyncSession, view: View[Any] = BOOKS) -> list[str]:
    """Return the rows of a view as JSON, serialized from entities with relationships."""
    # Forces a read from the database instead of the session.
    session.expunge_all()
    found = await session.scalars(ordered(view).options(*RELATED[view.model]))
    return as_json([view.schema.model_validate(each) for each in found])


def ordered(view: View[Any]) -> Select[Any]:
    """Select all rows of a view: books by title, others by primary key."""
    return view.select().order_by(getattr(view.model, "title", view.model.id))


def as_json(rows: Sequence[BaseModel]) -> list[str]:
    return [row.model_dump_json() for row in rows]


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("view", VIEWS)
async def test_view_equals_serialized_entities_with_relationships(
    session: AsyncSession, view: View[Any]
) -> None:
    expected = await entities(session, view)

    keys = await session.scalars(ordered(view).with_only_columns(primary_key(view.model)))
    assert expected
    assert as_json(await view.list(session, ordered(view))) == expected
    assert as_json([await view.get(session, key) for key in keys.all()]) == expected
    assert as_json((await view.page(session, PageQuery(), ordered(view))).items) == expected
    if view.model in (LibraryBook, LibraryAudioBook):
        feed = await view.feed(session, CursorQuery(), view.select(), BY_TITLE)
        assert as_json(feed.items) == expected


async def test_stream_equals_list(own_database: Database) -> None:
    async with own_database.transaction() as session:
        await make_books(session)
    for view in VIEWS:
        rows = await view.list(own_database, ordered(view))
        assert [row async for row in view.stream(own_database, ordered(view))] == rows
        assert [row async for row in view.stream(own_database, ordered(view).limit(1))] == rows[:1]


async def test_abandoned_stream_releases_the_connection(own_database: Database) -> None:
    async with own_database.transaction() as session:
        session.add_all([LibraryBook(title=str(number)) for number in range(BATCH_SIZE + 1)])
    stream = BOOKS.stream(own_database, BOOKS.select())
    async with aclosing(stream.batches()) as batches:
        assert len(await anext(batches)) == BATCH_SIZE
    assert cast("QueuePool", own_database.read_engine.pool).checkedout() == 0
    # Each iteration executes the statement again.
    assert len([row async for row in stream]) == BATCH_SIZE + 1


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.tuples(BOOK, LINKS), max_size=4))
async def test_view_equals_serialized_entities_for_random_values(
    session: AsyncSession, rows: list[tuple[dict[str, Any], Links]]
) -> None:
    session.expunge_all()
    tables: list[Any] = [each.__table__ for each in (LibraryEssay, LibraryReview, LibraryBook)]
    for table in tables:
        await session.execute(table.delete())
    writer = LibraryWriter(name="Ada")
    created_books: list[LibraryBook] = []
    for values, (is_audio, is_written, sequel_of, stars) in rows:
        book = (LibraryAudioBook if is_audio else LibraryBook)(**values)
        book.sequel_of = created_books[sequel_of] if sequel_of < len(created_books) else None
        book.writer = writer if is_written else None
        book.reviews = [LibraryReview(stars=each) for each in stars]
        created_books.append(book)
    session.add_all(created_books)
    await session.flush()
    statement = BOOKS.select().order_by(LibraryBook.id)

    shown = as_json(await BOOKS.list(session, statement))
    session.expunge_all()
    found = await session.scalars(statement.options(*RELATED[LibraryBook]))
    assert shown == as_json([BookOut.model_validate(each) for each in found])


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
    async def titles(*names: str) -> list[str]:
        statement = BOOKS.select().where(LibraryBook.title.in_(names)).order_by(LibraryBook.title)
        return [book.title for book in await BOOKS.list(session, statement)]

    async def title(name: str) -> str | None:
        found = await BOOKS.first(session, BOOKS.select().where(LibraryBook.title == name))
        return found.title if found else None

    assert await titles("One", "Two") == ["One", "Two"]
    assert await titles("Three") == ["Three"]
    assert [await title(each) for each in ("One", "Two", "none")] == ["One", "Two", None]


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
async def test_offset_pages_contain_all_rows(session: AsyncSession, limit: int) -> None:
    # The join returns a book once per subject.
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
async def test_cursor_pages_contain_all_rows(session: AsyncSession, limit: int) -> None:
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


async def test_view_with_composite_key_returns_related_rows(session: AsyncSession) -> None:
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


async def test_update_sets_only_the_fields_in_the_request(
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


async def test_insert_commits_before_it_returns(
    own_database: Database,
) -> None:
    created = await BOOKS.insert(own_database, BookIn(title="Stored"))

    assert await BOOKS.get(own_database, created.id) == created
    async with own_database.transaction() as session:
        await BOOKS.update(session, created.id, BookChanges(title="Renamed"))
        # This transaction sees the update, others do not yet.
        assert (await BOOKS.get(session, created.id)).title == "Renamed"
        assert (await BOOKS.get(own_database, created.id)).title == "Stored"


async def test_unknown_column_is_a_type_error(session: AsyncSession) -> None:
    values: dict[str, Any] = {"title": "x", "nothing": 1}

    with pytest.raises(TypeError, match="nothing"):
        await BOOKS.insert(session, values)
    with pytest.raises(TypeError, match="nothing"):
        await BOOKS.update(session, 1, {"nothing": 1})
