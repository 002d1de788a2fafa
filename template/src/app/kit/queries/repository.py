"""Base class of repositories, and the loader options of their entities."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Select,
    Update,
    bindparam,
    exists,
    func,
    inspect,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper, raiseload
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.db.base import Base, any_of, check_columns, primary_key
from app.kit.db.deletion import delete_row, exclude_deleted
from app.kit.db.ids import Id
from app.kit.errors.problems import NotFound
from app.kit.queries.compiled.insert_update import arguments, update_row
from app.kit.queries.pagination import PageQuery, PageResult, read_page

M = TypeVar("M", bound=Base)
T = TypeVar("T")


def load_options(*loads: ORMOption) -> tuple[ORMOption, ...]:
    """Return loader options that load only these relationships. Accessing others raises an error.

    These options override the lazy strategy of the service.
    """
    return (*loads, raiseload("*"))


# A constant, so that cached statements reuse the same options.
_ALONE = load_options()


class Repository(Generic[M]):
    """Reads and writes rows of one model, whose primary key is a single column of any name.

    Methods flush, and never commit.
    """

    model: ClassVar[type[Any]]

    def __init_subclass__(cls, **options: Any) -> None:
        """Raise TypeError for a model with a composite primary key."""
        super().__init_subclass__(**options)
        if "model" in cls.__dict__:
            primary_key(cls.model)

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, key: Id, *options: ORMOption, for_update: bool = False) -> M:
        """Return the row with this primary key, or raise `NotFound`.

        With `for_update`, lock it FOR NO KEY UPDATE.
        """
        model: Any = self.model
        statement = _select_by_key(model, options)
        return await self._one(key, self._locking(statement) if for_update else statement)

    async def get_many(self, keys: Collection[Id], *options: ORMOption) -> list[M]:
        """Return the rows with these primary keys, ordered by primary key. Ignore missing rows."""
        return await self._all(self._among(keys, options))

    async def get_one_or_none(
        self, condition: ColumnElement[bool], *options: ORMOption
    ) -> M | None:
        """Return the first row that matches a condition, on a unique column, or None."""
        rows = await self.session.scalars(select(self.model).where(condition).options(*options))
        row: M | None = rows.unique().first()
        return row

    async def lock_many(self, keys: Collection[Id], *options: ORMOption) -> list[M]:
        """Lock the rows with these primary keys FOR NO KEY UPDATE and return them.

        Rows are locked in the order of their primary keys, so that concurrent calls cannot
        deadlock. Missing rows are ignored.
        """
        return await self._all(self._locking(self._among(keys, options)))

    async def lock_many_for_share(self, keys: Collection[Id], *options: ORMOption) -> list[M]:
        """Lock the rows with these primary keys FOR SHARE and return them.

        Use it for rows that a new row references: other transactions can share the lock, but cannot
        update or delete the rows. Missing rows are ignored.
        """
        held = self._among(keys, options).with_for_update(of=self.model, read=True)
        return await self._all(held.execution_options(populate_existing=True))

    async def claim(self, statement: Select[M], limit: int, *options: ORMOption) -> list[M]:
        """Lock and return the first rows of a statement, with FOR NO KEY UPDATE SKIP LOCKED.

        Concurrent workers get different rows, and do not wait for each other.
        """
        first = statement.order_by(primary_key(self.model)).limit(limit).options(*options)
        return await self._all(self._locking(first, skip_locked=True))

    async def exists(self, *conditions: ColumnElement[bool]) -> bool:
        """Return whether any row matches the conditions."""
        query = select(exists(select(primary_key(self.model)).where(*conditions)))
        return bool(await self.session.scalar(query))

    async def count(self, *conditions: ColumnElement[bool], at_most: int | None = None) -> int:
        """Return the number of rows that match the conditions, or `at_most` if there are more.

        An exact count reads every matching row, which is slow in a large table.
        """
        key = primary_key(self.model)
        found = select(key).where(*conditions).limit(at_most).subquery()
        return await self.session.scalar(select(func.count()).select_from(found)) or 0

    async def page(
        self, query: PageQuery, statement: Select[T], *options: ORMOption
    ) -> PageResult[T]:
        """Return one page of a statement and the total number of rows.

        The primary key is the last term of ORDER BY. If a join repeats a row, the result contains
        it once per combination of ORDER BY values. Raises TypeError for a statement with LIMIT or
        OFFSET.
        """
        return await read_page(self.session, self.model, query, statement, options)

    async def add(self, record: M) -> M:
        """Insert a row. Its generated values are set when this returns."""
        self.session.add(record)
        await self.session.flush()
        return record

    async def update(self, record: M, changes: Mapping[str, Any]) -> M:
        """Set attributes of a row. Raises TypeError if a name is not a column."""
        # A subclass may have more columns than the model of the repository.
        check_columns(type(record), changes)
        for name, value in changes.items():
            setattr(record, name, value)
        await self.session.flush()
        return record

    async def change(self, key: Id, changes: Mapping[str, Any], *options: ORMOption) -> M:
        """Update the row with this primary key, in one statement if possible, and return it.

        A value may be an SQL expression. Validators and methods of the model do not run; use `get`
        and `update` if they must.

        Raises:
            NotFound: the row does not exist.
            TypeError: a name is not a column.

        """
        if not changes:
            return await self.get(key, *options)
        model: Any = self.model
        mapper: Mapper[Any] = inspect(model)
        if len(mapper.tables) > 1:
            # Joined-table inheritance: UPDATE … RETURNING writes only one table.
            return await self.update(await self.get(key, *options, for_update=True), changes)
        # RETURNING cannot join other tables, so `joinedload` needs another SELECT.
        joined = any(map(_is_join, options))
        statement, values = _update_by_key(model, _ALONE if joined else options, changes)
        row = await self._one(key, statement, values)
        if joined:
            again = _select_by_key(model, options).execution_options(populate_existing=True)
            row = await self._one(key, again)
        return row

    async def delete(self, key: Id) -> None:
        """Delete the row with this primary key, or raise `NotFound`."""
        # The lock makes a concurrent delete wait, and then raise NotFound. Relationships stay
        # unloaded, so that the database deletes owned rows in one statement.
        record: Any = await self.get(key, *_ALONE, for_update=True)
        await delete_row(self.session, record)

    def _among(self, keys: Collection[Id], options: tuple[ORMOption, ...]) -> Select[M]:
        key = primary_key(self.model)
        return select(self.model).where(any_of(key, keys)).order_by(key).options(*options)

    async def _all(self, statement: Select[M]) -> list[M]:
        # A joined collection returns a row once for each of its items.
        return list((await self.session.scalars(statement)).unique())

    async def _one(self, key: Id, statement: Any, values: Mapping[str, Any] | None = None) -> M:
        rows = await self.session.scalars(statement, {"row__key": key, **(values or {})})
        row: M | None = rows.unique().first()
        if row is None:
            raise NotFound(f"{self.model.__name__} {key} not found.")
        return row

    def _locking(self, statement: Select[M], *, skip_locked: bool = False) -> Select[M]:
        # Locks only rows of this model, not joined rows. With FOR NO KEY UPDATE, other transactions
        # can still insert rows that reference it. `populate_existing` refreshes objects in the
        # session, because the row may have changed before it was locked.
        return statement.with_for_update(
            of=self.model, key_share=True, skip_locked=skip_locked
        ).execution_options(populate_existing=True)


# Building a statement takes as long as running it, and a service has few combinations of model,
# loader options and columns.
@lru_cache(maxsize=500)
def _select_by_key(model: Any, options: tuple[ORMOption, ...]) -> Select[Any]:
    """Return the statement that reads the row with primary key `:row__key`."""
    return exclude_deleted(
        select(model).where(primary_key(model) == bindparam("row__key")).options(*options)
    )


def _update_by_key(
    model: Any, options: tuple[ORMOption, ...], changes: Mapping[str, Any]
) -> tuple[Update, dict[str, Any]]:
    """Return the statement that updates the row with key `:row__key`, and its other parameters."""
    check_columns(model, changes)
    expressions = {name: value for name, value in changes.items() if _is_expression(value)}
    values = {name: value for name, value in changes.items() if name not in expressions}
    statement = _update_to_values(model, options, tuple(values))
    return statement.values(expressions) if expressions else statement, arguments(values)


@lru_cache(maxsize=500)
def _update_to_values(model: Any, options: tuple[ORMOption, ...], names: tuple[str, ...]) -> Any:
    # `populate_existing` refreshes the object from RETURNING.
    execution = {"populate_existing": True, "synchronize_session": False}
    statement = update_row(model, names).returning(model).options(*options)
    return exclude_deleted(statement.execution_options(**execution))


def _is_expression(value: Any) -> bool:
    return isinstance(value, ClauseElement) or hasattr(value, "__clause_element__")


def _is_join(load: Any) -> bool:
    """Return whether a loader option contains a `joinedload`."""
    parts = getattr(load, "context", ())
    return any(("lazy", "joined") in (part.strategy or ()) for part in parts)
