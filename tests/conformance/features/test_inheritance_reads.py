"""Reads of models with inheritance, or with a primary key other than `id`."""

from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload, with_polymorphic

from app.kit.db.session import Database
from app.kit.errors.problems import NotFound
from app.kit.http.schemas import ResponseModel
from app.kit.queries.compiled.statement_cache import cache_key, prepare
from app.kit.queries.pagination import CursorQuery, PageQuery
from app.kit.queries.repository import Repository
from app.kit.queries.sorting import order_by
from app.kit.queries.view import View
from tests.conformance.features.inheritance.models import (
    Boss,
    Document,
    Letter,
    OpenLetter,
    Person,
    Seat,
)
from tests.conformance.support.keyset import read_keyset_page


class DocumentIn(BaseModel):
    title: str


class DocumentOut(ResponseModel):
    title: str
    sort: str


class LetterOut(DocumentOut):
    stamp: str | None


class PersonOut(ResponseModel):
    name: str
    role: str


class BossOut(PersonOut):
    budget: int


class WithBoss(PersonOut):
    boss: BossOut | None
    letters: list[LetterOut]


class BossWithStaff(BossOut):
    staff: list[PersonOut]
    letters: list[LetterOut]


class SeatOut(ResponseModel):
    row: str
    number: int


class Letters(Repository[Letter]):
    model = Letter


class Bosses(Repository[Boss]):
    model = Boss


@pytest.fixture
def database(own_app: FastAPI) -> Database:
    """A database that keeps committed rows."""
    found: Database = own_app.state.database
    return found


async def fill(session: AsyncSession) -> None:
    """Store two bosses with staff and documents of each kind."""
    for name in ("ada", "bob"):
        boss = Boss(name=name, budget=5, staff=[], letters=[], boss=None)
        boss.letters = [Letter(title=f"{name} b"), OpenLetter(title=f"{name} a", stamp="x")]
        session.add(boss)
        await session.flush()
        session.add(Document(title=f"{name} c", person_id=boss.id))
        session.add(Person(name=f"{name}'s", boss=boss, letters=[]))
    await session.flush()


async def test_compiled_statements_read_only_their_own_class(database: Database) -> None:
    async with database.transaction() as session:
        await fill(session)
        keys = {row.title: row.id for row in await session.scalars(select(Document))}
        (boss, _) = await session.scalars(select(Boss.id).order_by(Boss.name))
    letters = View(LetterOut, Letter)
    assert (await letters.get(database, keys["ada a"])).sort == "open_letter"
    with pytest.raises(NotFound):
        await letters.get(database, keys["ada c"])
    assert (await View(DocumentOut, Document).get(database, keys["ada c"])).sort == "document"
    found = await letters.list(database, letters.select())
    assert {row.title for row in found} == {"ada a", "ada b", "bob a", "bob b"}
    shown = await View(BossOut, Boss).get(database, boss)
    assert shown == BossOut(name="ada", role="boss", budget=5)


def test_statements_of_subclasses_are_compiled_once(database: Database) -> None:
    dialect = database.engine.dialect
    for model in (Letter, OpenLetter, Boss):
        statement: Any = select(model.id).where(model.id == bindparam("key"))
        prepared = prepare(statement, dialect, cache_key(statement))
        assert prepared is not None
        assert prepared.arguments(values={"key": 1})[0] == 1
    varying: Any = select(Letter.id).where(Letter.title.in_(["a", "b"]))
    assert prepare(varying, dialect, cache_key(varying)) is None


async def test_compiled_inserts_store_their_own_class(database: Database) -> None:
    for model, sort in [(Document, "document"), (Letter, "letter"), (OpenLetter, "open_letter")]:
        created = await View(DocumentOut, model).insert(database, DocumentIn(title=sort))
        assert created.sort == sort
    async with database.reading() as session:
        assert [type(row).__name__ for row in await session.scalars(select(Letter))] == [
            "Letter",
            "OpenLetter",
        ]


async def test_unsupported_models_are_type_errors(database: Database) -> None:
    with pytest.raises(TypeError, match="Boss is stored in several tables"):
        await View(PersonOut, Boss).insert(database, PersonOut(name="a", role="boss"))
    with pytest.raises(TypeError, match=r"Document\.sort is set by the class"):
        await View(DocumentOut, Document).insert(database, DocumentOut(title="a", sort="letter"))
    with pytest.raises(TypeError, match=r"Seat has a composite primary key \(row, number\)"):
        await View(SeatOut, Seat).get(database, 1)
    with pytest.raises(TypeError, match=r"Seat has a composite primary key \(row, number\)"):
        type("Seats", (Repository,), {"model": Seat})
    with pytest.raises(TypeError, match="not unique"):
        order_by(tiebreaker=Seat.number)


async def test_views_equal_serialized_entities(session: AsyncSession) -> None:
    await fill(session)
    session.expunge_all()
    cases: list[tuple[Any, Any, list[Any]]] = [
        (DocumentOut, Document, []),
        (LetterOut, Letter, []),
        (DocumentOut, OpenLetter, []),
        (PersonOut, Person, []),
        (BossOut, Boss, []),
        (WithBoss, Person, [selectinload(Person.boss), selectinload(Person.letters)]),
        (WithBoss, Boss, [selectinload(Boss.boss), selectinload(Boss.letters)]),
        (BossWithStaff, Boss, [selectinload(Boss.staff), selectinload(Boss.letters)]),
    ]
    for schema, model, loads in cases:
        rows = (await session.scalars(select(model).order_by(model.id).options(*loads))).all()
        expected = [schema.model_validate(row) for row in rows]
        session.expunge_all()
        view = View(schema, model)
        shown = await view.list(session, view.select().order_by(model.id))
        lists: TypeAdapter[Any] = TypeAdapter(list[schema])  # type: ignore[valid-type]  # a parameter
        assert lists.dump_json(list(shown)) == lists.dump_json(expected), (schema, model)
        assert expected


async def test_pages_and_repositories_of_subclasses_read_only_their_own_rows(
    session: AsyncSession,
) -> None:
    await fill(session)
    session.expunge_all()
    letters, bosses = View(LetterOut, Letter), View(BossOut, Boss)
    query, by_title = PageQuery(limit=3, offset=1), letters.select().order_by(Letter.title)
    page = await letters.page(session, query, by_title)
    assert ([row.title for row in page.items], page.total) == (["ada b", "bob a", "bob b"], 4)
    found = await bosses.page(session, PageQuery(), bosses.select())
    assert (len(found.items), found.total) == (2, 2)
    assert await Letters(session).count() == 4
    repository = Bosses(session)
    ada = await repository.get_one_or_none(Boss.name == "ada")
    assert ada is not None
    assert (await repository.get(ada.id, for_update=True)).budget == 5
    assert await repository.get_many([ada.id]) == [ada]
    assert await repository.exists(Boss.budget == 5)


async def test_keyset_pages_of_inheritance_and_composite_keys(session: AsyncSession) -> None:
    await fill(session)
    session.add_all(Seat(row=row, number=number) for row in "ab" for number in (1, 2, 3))
    await session.flush()
    session.expunge_all()
    people = with_polymorphic(Person, [Boss])
    for select_all, by, size in [
        (select(Letter), order_by(Letter.stamp.desc().nulls_last(), tiebreaker=Letter.id), 4),
        (select(Boss), order_by(Boss.name.desc(), tiebreaker=Boss.id), 2),
        (select(Boss), order_by(Boss.budget.desc(), Boss.name.asc(), tiebreaker=Boss.id), 2),
        (select(people), order_by(people.Boss.budget.asc().nulls_last(), tiebreaker=people.id), 4),
        (select(Seat), order_by(tiebreaker=(Seat.row, Seat.number)), 6),
        (
            select(Seat),
            order_by(Seat.note.asc().nulls_first(), tiebreaker=(Seat.row, Seat.number)),
            6,
        ),
        (
            select(Seat),
            order_by(Seat.number.desc(), Seat.row.asc(), tiebreaker=(Seat.row, Seat.number)),
            6,
        ),
    ]:
        statement: Any = select_all
        expected = (await session.scalars(statement.order_by(*by.clauses))).all()
        found: list[Any] = []
        cursor: str | None = None
        while True:
            page = await read_keyset_page(
                session, CursorQuery(limit=2, cursor=cursor), statement, by
            )
            found += page.items
            cursor = page.next
            if cursor is None:
                break
        assert found == expected
        assert len(found) == size
