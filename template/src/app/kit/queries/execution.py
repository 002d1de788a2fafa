"""Execution of prepared statements, on a pool connection or in the transaction of a session."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database
from app.kit.queries.prepared import Prepared, cache_key, prepare

# A database runs each statement in its own transaction. A session runs it in its transaction.
Connectable: TypeAlias = Database | AsyncSession
Row: TypeAlias = dict[str, Any]
Values: TypeAlias = Mapping[str, Any]

# Statements per cache. A view needs one for each combination of filters and order.
_CACHE_SIZE = 500


class StatementCache:
    """Compiles each statement once and runs it."""

    def __init__(self) -> None:
        self._prepared: WeakKeyDictionary[Dialect, dict[Any, Prepared]] = WeakKeyDictionary()

    async def read(
        self,
        db: Connectable,
        statement: Any,
        build: Callable[[Any], Any],
        values: Values | None = None,
    ) -> list[Row]:
        """Run `build(statement)` read-only, and return its rows as dictionaries.

        Statements that differ only in parameter values share one cache entry. `values` sets named
        parameters.
        """
        known = self._of(db)
        key = cache_key(statement)
        entry = key and (build, key.key, *sorted(statement.get_execution_options().items()))
        prepared = known.get(entry)
        if prepared is None:
            built = build(statement)
            prepared = prepare(built, _dialect(db), key)
            if prepared is None:
                return await _execute(db, built, values)
            if entry:
                _store(known, entry, prepared)
        return await _fetch(db, prepared, prepared.arguments(key, values), write=False)

    async def write(
        self, db: Connectable, entry: Hashable, build: Callable[[], Any], values: Values
    ) -> list[Row]:
        """Run an INSERT or UPDATE, and return its rows. `build` runs once per `entry`.

        With a database instead of a session, the statement is committed when this returns.
        """
        known = self._of(db)
        prepared = known.get(entry)
        if prepared is None:
            built = build()
            prepared = prepare(built, _dialect(db))
            if prepared is None:
                return await _execute(db, built, values, write=True)
            _store(known, entry, prepared)
        return await _fetch(db, prepared, prepared.arguments(values=values), write=True)

    def _of(self, db: Connectable) -> dict[Any, Prepared]:
        return self._prepared.setdefault(_dialect(db), {})


def _dialect(db: Connectable) -> Dialect:
    return db.get_bind().dialect if isinstance(db, AsyncSession) else db.engine.dialect


def _store(known: dict[Any, Prepared], entry: Hashable, prepared: Prepared) -> None:
    if len(known) >= _CACHE_SIZE:
        known.clear()
    known[entry] = prepared


async def _fetch(
    db: Connectable, prepared: Prepared, arguments: list[Any], *, write: bool
) -> list[Row]:
    if isinstance(db, AsyncSession):
        # Like the autoflush of a session.
        await db.flush()
        connection = await db.connection()
        result = await connection.exec_driver_sql(prepared.sql, tuple(arguments))
        return prepared.rows(result.all())
    fetch = db.fetch_committed if write else db.fetch
    return prepared.rows(await fetch(prepared.sql, arguments))


async def _execute(
    db: Connectable, statement: Any, values: Values | None, *, write: bool = False
) -> list[Row]:
    """Run a statement that cannot be prepared, because its SQL depends on parameter values."""
    if isinstance(db, AsyncSession):
        await db.flush()
        result = await (await db.connection()).execute(statement, values)
        return [dict(row) for row in result.mappings()]
    async with db.transaction() if write else db.reading() as session:
        return await _execute(session, statement, values)
