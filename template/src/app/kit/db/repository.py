"""A typed collection of one model, bound to the session of a request."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from fastapi import Depends
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    any_,
    exists,
    func,
    inspect,
    literal,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.db.base import Record
from app.kit.db.bulk import among
from app.kit.db.by_key import changing, reading
from app.kit.db.deletion import erase
from app.kit.db.ids import Id
from app.kit.db.plan import plan
from app.kit.db.session import ReadSessionDep, SessionDep
from app.kit.errors import NotFound
from app.kit.page import PageQuery, Slice

M = TypeVar("M", bound=Record)
T = TypeVar("T")
R = TypeVar("R", bound="Repository[Any]")

# Made once, so that the statement that it is part of is, too.
_ALONE = plan()


class Repository(Generic[M]):
    """Reads and writes one model. It flushes; only the edge of the service commits."""

    model: ClassVar[type[Any]]

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, key: Id, *plan: ORMOption, for_update: bool = False) -> M:
        """The row with this key, or `NotFound`; for an update, locked against anybody else's."""
        model: Any = self.model
        statement = reading(model, plan)
        row: M | None = await self.session.scalar(
            self._locking(statement) if for_update else statement, {"key": key}
        )
        return self._found(key, row)

    async def get_many(self, keys: Collection[Id], *plan: ORMOption) -> list[M]:
        """The rows with these keys, in the order of their keys; a key of no row is passed over."""
        # An array is one parameter, however many keys; a list of them ends at the driver's 32 767.
        key = self.model.id
        wanted = key == any_(literal(list(keys), ARRAY(key.type)))
        statement = select(self.model).where(wanted).order_by(key).options(*plan)
        return list(await self.session.scalars(statement))

    async def one_by(self, condition: ColumnElement[bool], *plan: ORMOption) -> M | None:
        """The one row that meets a condition on a unique column, or None."""
        row: M | None = await self.session.scalar(
            select(self.model).where(condition).options(*plan)
        )
        return row

    async def lock_many(self, keys: Collection[Id], *plan: ORMOption) -> list[M]:
        """The rows with these keys that there are, locked until the transaction ends.

        They are locked in the order of their keys: two who lock the same rows queue up, and never
        wait for each other.
        """
        statement = select(self.model).where(among(self.model.id, keys)).order_by(self.model.id)
        return list(await self.session.scalars(self._locking(statement.options(*plan))))

    async def hold_many(self, keys: Collection[Id], *plan: ORMOption) -> list[M]:
        """The rows with these keys that there are; nobody deletes one until the transaction ends.

        For what a new row is to refer to. Many can hold a row at the same time; nobody changes it.
        """
        statement = select(self.model).where(among(self.model.id, keys)).order_by(self.model.id)
        held = statement.options(*plan).with_for_update(of=self.model, read=True)
        return list(await self.session.scalars(held.execution_options(populate_existing=True)))

    async def claim(self, statement: Select[M], limit: int, *plan: ORMOption) -> list[M]:
        """The first rows of a statement that nobody else has locked, locked.

        Workers that claim at the same time get different rows, and none of them waits.
        """
        first = statement.order_by(self.model.id).limit(limit).options(*plan)
        return list(await self.session.scalars(self._locking(first, skip_locked=True)))

    async def exists(self, *conditions: ColumnElement[bool]) -> bool:
        """Whether any row meets the conditions; stops at the first."""
        query = select(exists(select(self.model.id).where(*conditions)))
        return bool(await self.session.scalar(query))

    async def count(self, *conditions: ColumnElement[bool], at_most: int | None = None) -> int:
        """How many rows meet the conditions; with `at_most`, counting stops there.

        An exact count reads every row that matches, which is what makes it slow in a large table.
        """
        found = select(self.model.id).where(*conditions).limit(at_most).subquery()
        return await self.session.scalar(select(func.count()).select_from(found)) or 0

    async def page(self, query: PageQuery, statement: Select[T], *plan: ORMOption) -> Slice[T]:
        """One page of a statement, with the total. The key breaks ties of its order."""
        ordered = statement.order_by(self.model.id)
        keys = ordered.with_only_columns(self.model.id, maintain_column_froms=True)
        counted = select(func.count()).select_from(keys.order_by(None).subquery())
        total = await self.session.scalar(counted) or 0
        page = ordered.limit(query.limit).offset(query.offset)
        if query.offset and statement.column_descriptions[0]["expr"] is not self.model:
            # What a projection makes of a row, it would make of each that is passed over, too.
            here = keys.limit(query.limit).offset(query.offset).correlate(None)
            page = ordered.where(self.model.id.in_(here))
        rows = await self.session.scalars(page.options(*plan))
        return Slice(rows.all(), total, query.limit, query.offset)

    async def add(self, record: M) -> M:
        """Insert a row; its generated values are set when this returns."""
        self.session.add(record)
        await self.session.flush()
        return record

    async def update(self, record: M, changes: Mapping[str, Any]) -> M:
        """Set these columns; a name that is none is a `TypeError`, never silently ignored."""
        columns = self.model.__mapper__.column_attrs.keys()
        for name, value in changes.items():
            if name not in columns:
                raise TypeError(f"{self.model.__name__} has no column {name!r} to update")
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
        if len(inspect(self.model).tables) > 1:
            # Joined-table inheritance: a statement with RETURNING reaches one table only.
            return await self.update(await self.get(key, *plan, for_update=True), changes)
        statement, values = changing(self.model, plan, changes)
        row: M | None = await self.session.scalar(statement, {"row__key": key, **values})
        return self._found(key, row)

    async def delete(self, key: Id) -> None:
        """Delete the row with this key, or raise `NotFound`."""
        # Locked: whoever deletes it at the same time waits, and then finds nothing to delete. Its
        # relations stay unloaded, so that what it owns is left to one statement of the database.
        await erase(self.session, await self.get(key, *_ALONE, for_update=True))

    def _found(self, key: Id, row: M | None) -> M:
        if row is None:
            raise NotFound(f"There is no {self.model.__name__.lower()} {key}.")
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
