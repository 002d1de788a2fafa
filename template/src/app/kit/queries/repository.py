"""Base class of repositories, and the loader options of their entities."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import raiseload
from sqlalchemy.orm.interfaces import ORMOption
from typing_extensions import deprecated

from app.kit.db.base import Base, any_of, check_columns, primary_key
from app.kit.db.deletion import delete_row, exclude_deleted
from app.kit.db.ids import Id
from app.kit.errors.problems import NotFound
from app.kit.queries.pagination import (
    PageQuery,
    PageResult,
    count_rows,
    has_entities,
    ordered_rows,
)

M = TypeVar("M", bound=Base)
T = TypeVar("T")


def load_options(*loads: ORMOption) -> tuple[ORMOption, ...]:
    """Return loader options that load only these relationships. Accessing others raises an error.

    These options override the `lazy` argument of relationships.
    """
    return (*loads, raiseload("*"))


# Loads no relationships. A constant, so that cached statements reuse the same options.
NO_RELATIONSHIPS = load_options()


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

        With `for_update`, lock it FOR NO KEY UPDATE. Then load relationships with `selectinload`:
        if the statement waits for the lock, `joinedload` does not find a related row that changed.
        """
        model: Any = self.model
        statement = _select_by_key(model, options)
        if for_update:
            statement = self._lock(statement)
        rows = await self._all(statement, {"row__key": key})
        if not rows:
            raise NotFound(f"{self.model.__name__} {key} not found.")
        return rows[0]

    async def get_many(self, keys: Collection[Id], *options: ORMOption) -> list[M]:
        """Return the rows with these primary keys, ordered by primary key. Ignore missing rows."""
        return await self._all(self._select_by_keys(keys, options))

    async def get_one_or_none(
        self, condition: ColumnElement[bool], *options: ORMOption
    ) -> M | None:
        """Return the row that matches a condition on a unique column, or None."""
        statement = select(self.model).where(condition).options(*options)
        return next(iter(await self._all(statement)), None)

    async def lock_many(self, keys: Collection[Id], *options: ORMOption) -> list[M]:
        """Lock the rows with these primary keys FOR NO KEY UPDATE and return them.

        Rows are locked in the order of their primary keys, so that concurrent calls cannot
        deadlock. Missing rows are ignored.
        """
        return await self._all(self._lock(self._select_by_keys(keys, options)))

    async def lock_many_for_share(self, keys: Collection[Id], *options: ORMOption) -> list[M]:
        """Lock the rows with these primary keys FOR SHARE and return them.

        Use it for rows that a new row references: other transactions can share the lock, but cannot
        update or delete the rows. Missing rows are ignored.
        """
        return await self._all(self._lock(self._select_by_keys(keys, options), share=True))

    async def claim(self, statement: Select[M], limit: int, *options: ORMOption) -> list[M]:
        """Lock and return the first rows of a statement, with FOR NO KEY UPDATE SKIP LOCKED.

        Concurrent workers get different rows, and do not wait for each other.
        """
        first = statement.order_by(primary_key(self.model)).limit(limit).options(*options)
        return await self._all(self._lock(first, skip_locked=True))

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

    @deprecated("use `View.page`; it is removed in 0.14")
    async def page(
        self, query: PageQuery, statement: Select[T], *options: ORMOption
    ) -> PageResult[T]:
        """Return one page of entities and the total number of rows, like `View.page`."""
        total = await self.session.scalar(count_rows(statement)) or 0
        limited = ordered_rows(statement).limit(query.limit).offset(query.offset)
        found = await self.session.scalars(limited.options(*options))
        rows = found.unique().all() if has_entities(statement) else found.all()
        return PageResult(rows, total, query.limit, query.offset)

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

    async def delete(self, key: Id) -> None:
        """Delete the row with this primary key, or raise `NotFound`."""
        # The lock makes a concurrent delete wait, and then raise NotFound. Relationships stay
        # unloaded, so that the database deletes owned rows in one statement.
        record: Any = await self.get(key, *NO_RELATIONSHIPS, for_update=True)
        await delete_row(self.session, record)

    def _select_by_keys(self, keys: Collection[Id], options: tuple[ORMOption, ...]) -> Select[M]:
        key = primary_key(self.model)
        return select(self.model).where(any_of(key, keys)).order_by(key).options(*options)

    def _lock(
        self, statement: Select[Any], *, share: bool = False, skip_locked: bool = False
    ) -> Select[Any]:
        # Locks only rows of this model, not joined rows. With FOR NO KEY UPDATE, other transactions
        # can still insert rows that reference it. `populate_existing` refreshes objects in the
        # session, because the row may have changed before it was locked.
        return statement.with_for_update(
            of=self.model, read=share, key_share=not share, skip_locked=skip_locked
        ).execution_options(populate_existing=True)

    async def _all(self, statement: Select[M], values: Any = None) -> list[M]:
        # A joined collection returns a row once for each of its items.
        return list((await self.session.scalars(statement, values)).unique())


# Building a statement takes as long as running it, and a service has few combinations of model and
# loader options. Only constant options use the cache: two calls of `joinedload()` are never equal.
@lru_cache(maxsize=500)
def _select_by_key(model: Any, options: tuple[ORMOption, ...]) -> Select[Any]:
    """Return the statement that reads the row with primary key `:row__key`."""
    return exclude_deleted(
        select(model).where(primary_key(model) == bindparam("row__key")).options(*options)
    )
