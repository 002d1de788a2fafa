"""A typed collection of one model, bound to the session of a request."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from fastapi import Depends
from sqlalchemy import ColumnElement, Select, exists, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.db.attributes import primary_key, table_columns
from app.kit.db.base import Base
from app.kit.db.bulk import among
from app.kit.db.by_key import changing, reading
from app.kit.db.deletion import erase
from app.kit.db.ids import Id
from app.kit.db.page_rows import read_page
from app.kit.db.plan import has_joins, plan
from app.kit.db.session import ReadSessionDep, SessionDep
from app.kit.errors import NotFound
from app.kit.page import PageQuery, Slice

M = TypeVar("M", bound=Base)
T = TypeVar("T")
R = TypeVar("R", bound="Repository[Any]")

# Made once, so that the statement that it is part of is, too.
_ALONE = plan()


class Repository(Generic[M]):
    """Reads and writes one model, whose primary key is one column, of any name.

    It flushes; only the session dependency commits.
    """

    model: ClassVar[type[Any]]

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a model with a composite primary key, with a TypeError."""
        super().__init_subclass__(**options)
        if "model" in cls.__dict__:
            primary_key(cls.model)

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, key: Id, *plan: ORMOption, for_update: bool = False) -> M:
        """The row with this key, or `NotFound`; for an update, locked against anybody else's."""
        model: Any = self.model
        statement = reading(model, plan)
        rows = await self.session.scalars(
            self._locking(statement) if for_update else statement, {"key": key}
        )
        return self._found(key, rows.unique().first())

    async def get_many(self, keys: Collection[Id], *plan: ORMOption) -> list[M]:
        """The rows with these keys, in the order of their keys; a key of no row is passed over."""
        return await self._all(self._among(keys, plan))

    async def one_by(self, condition: ColumnElement[bool], *plan: ORMOption) -> M | None:
        """The one row that meets a condition on a unique column, or None."""
        rows = await self.session.scalars(select(self.model).where(condition).options(*plan))
        row: M | None = rows.unique().first()
        return row

    async def lock_many(self, keys: Collection[Id], *plan: ORMOption) -> list[M]:
        """The rows with these keys that there are, locked until the transaction ends.

        They are locked in the order of their keys: two who lock the same rows queue up, and never
        wait for each other.
        """
        return await self._all(self._locking(self._among(keys, plan)))

    async def hold_many(self, keys: Collection[Id], *plan: ORMOption) -> list[M]:
        """The rows with these keys that there are; nobody deletes one until the transaction ends.

        For what a new row is to refer to. Many can hold a row at the same time; nobody changes it.
        """
        held = self._among(keys, plan).with_for_update(of=self.model, read=True)
        return await self._all(held.execution_options(populate_existing=True))

    async def claim(self, statement: Select[M], limit: int, *plan: ORMOption) -> list[M]:
        """The first rows of a statement that nobody else has locked, locked.

        Workers that claim at the same time get different rows, and none of them waits.
        """
        first = statement.order_by(primary_key(self.model)).limit(limit).options(*plan)
        return await self._all(self._locking(first, skip_locked=True))

    async def exists(self, *conditions: ColumnElement[bool]) -> bool:
        """Whether any row meets the conditions; stops at the first."""
        query = select(exists(select(primary_key(self.model)).where(*conditions)))
        return bool(await self.session.scalar(query))

    async def count(self, *conditions: ColumnElement[bool], at_most: int | None = None) -> int:
        """How many rows meet the conditions; with `at_most`, counting stops there.

        An exact count reads every row that matches, which is what makes it slow in a large table.
        """
        key = primary_key(self.model)
        found = select(key).where(*conditions).limit(at_most).subquery()
        return await self.session.scalar(select(func.count()).select_from(found)) or 0

    async def page(self, query: PageQuery, statement: Select[T], *plan: ORMOption) -> Slice[T]:
        """One page of a statement, with the total. The primary key breaks ties of its order.

        A join may find a row several times: it is counted and shown once for each set of values
        that it is ordered by. Raises TypeError for a statement with LIMIT or OFFSET.
        """
        return await read_page(self.session, self.model, query, statement, plan)

    async def add(self, record: M) -> M:
        """Insert a row; its generated values are set when this returns."""
        self.session.add(record)
        await self.session.flush()
        return record

    async def update(self, record: M, changes: Mapping[str, Any]) -> M:
        """Set these columns; a name that is none is a `TypeError`, never silently ignored."""
        # Of its own class: a subclass may have columns that the model of the repository has not.
        columns = table_columns(type(record).__mapper__)
        for name, value in changes.items():
            if name not in columns:
                raise TypeError(f"{type(record).__name__} has no column {name!r} to update")
            setattr(record, name, value)
        await self.session.flush()
        return record

    async def change(self, key: Id, changes: Mapping[str, Any], *plan: ORMOption) -> M:
        """Set these columns of the row with this key, without reading it before; or `NotFound`.

        A value may be an expression of SQL; a name that is no column is a `TypeError`. The methods
        of the model do not run: where one has to see the change, `get` and `update`.
        """
        if not changes:
            return await self.get(key, *plan)
        mapper: Mapper[Any] = inspect(self.model)
        if len(mapper.tables) > 1:
            # Joined-table inheritance: a statement with RETURNING reaches one table only.
            return await self.update(await self.get(key, *plan, for_update=True), changes)
        # RETURNING joins no other table: a plan that does needs a SELECT.
        joined = has_joins(plan)
        statement, values = changing(self.model, _ALONE if joined else plan, changes)
        rows = await self.session.scalars(statement, {"row__key": key, **values})
        row = self._found(key, rows.unique().first())
        if not joined:
            return row
        model: Any = self.model
        again = reading(model, plan).execution_options(populate_existing=True)
        return self._found(key, (await self.session.scalars(again, {"key": key})).unique().first())

    async def delete(self, key: Id) -> None:
        """Delete the row with this key, or raise `NotFound`."""
        # Locked: whoever deletes it at the same time waits, and then finds nothing to delete. Its
        # relations stay unloaded, so that what it owns is left to one statement of the database.
        record: Any = await self.get(key, *_ALONE, for_update=True)
        await erase(self.session, record)

    def _among(self, keys: Collection[Id], plan: tuple[ORMOption, ...]) -> Select[M]:
        key = primary_key(self.model)
        return select(self.model).where(among(key, keys)).order_by(key).options(*plan)

    async def _all(self, statement: Select[M]) -> list[M]:
        # A joined collection repeats the row for each of its items.
        return list((await self.session.scalars(statement)).unique())

    def _found(self, key: Id, row: M | None) -> M:
        if row is None:
            raise NotFound(f"{self.model.__name__} {key} not found.")
        return row

    def _locking(self, statement: Select[M], *, skip_locked: bool = False) -> Select[M]:
        # Only what this repository is about, not what a plan joins to it, and only against changes:
        # a row that refers to this one can still be written. An object that the session already
        # holds is read again; its row may have changed before the lock was had.
        return statement.with_for_update(
            of=self.model, key_share=True, skip_locked=skip_locked
        ).execution_options(populate_existing=True)


def provided(repository: type[R], *, read_only: bool = False) -> Any:
    """The dependency that hands an endpoint its repository, for use in `Annotated`.

    With `read_only`, PostgreSQL refuses its writes, and a read is one round trip.
    """

    # Coroutines: FastAPI would run a plain class in a thread of its own.
    async def build(session: SessionDep) -> R:
        return repository(session)

    async def build_reading(session: ReadSessionDep) -> R:
        return repository(session)

    dependency: Callable[..., Any] = build_reading if read_only else build
    return Depends(dependency)
