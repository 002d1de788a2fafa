"""Execution of prepared statements, on a pool connection or in the transaction of a session."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import Dialect, Float, bindparam
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.cache_key import CacheKey
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from app.kit.db.current_user import with_current_user
from app.kit.db.session import Database

# A database runs each statement in its own transaction. A session runs it in its transaction.
Connectable: TypeAlias = Database | AsyncSession
Row: TypeAlias = dict[str, Any]
Parameters: TypeAlias = Mapping[str, Any]
# A function that converts the value of a parameter or result column.
Processor: TypeAlias = Callable[[Any], Any]

# Statements per cache. A view needs one for each combination of filters and order.
_CACHE_SIZE = 500
# Stands for the value of a parameter that each execution sets.
_VARYING = object()
# OIDs of float8 and numeric, which determine how a result value is converted.
_FLOAT8, _NUMERIC = 701, 1700


@dataclass(frozen=True, slots=True)
class Prepared:
    """The SQL of a statement, its parameters and its result columns."""

    sql: str
    compiled: SQLCompiler
    parameters: tuple[tuple[str, Processor | None], ...]
    # Parameter values that are the same in every execution.
    fixed: Mapping[str, Any]
    columns: tuple[tuple[str, Processor | None], ...]

    def arguments(self, key: CacheKey | None = None, values: Parameters | None = None) -> list[Any]:
        """Return the positional arguments for one execution.

        Args:
            key: the cache key of the statement to run, which contains its parameter values.
            values: values of other parameters, by name.

        Raises InvalidRequestError if a value is missing.
        """
        named = self.compiled.construct_params(values, key.bindparams if key else None)
        named.update(self.fixed)
        return [
            process(named[name]) if process else named[name] for name, process in self.parameters
        ]

    def rows(self, records: Iterable[Iterable[Any]]) -> list[dict[str, Any]]:
        """Return the records as dictionaries, with the same values that a session returns."""
        return [
            {
                name: process(value) if process else value
                for (name, process), value in zip(self.columns, record, strict=True)
            }
            for record in records
        ]


class StatementCache:
    """Compiles each statement once and runs it."""

    def __init__(self) -> None:
        # None for a statement that SQLAlchemy must execute.
        self._prepared: dict[Hashable, Prepared | None] = {}

    async def read(
        self,
        db: Connectable,
        statement: Any,
        build: Callable[[Any], Any],
        values: Parameters | None = None,
        key: CacheKey | None = None,
    ) -> list[Row]:
        """Run `build(statement)` read-only, and return its rows as dictionaries.

        Statements that differ only in parameter values share one cache entry. `values` sets named
        parameters. `key` is the cache key of the statement if it is known.
        """
        key = key or cache_key(statement)
        # SQLAlchemy's key does not contain the execution options, which may change the SQL.
        lookup_key = key and (build, key.key, *sorted(statement.get_execution_options().items()))
        return await self._run(db, lookup_key, partial(build, statement), values, key)

    async def write(
        self, db: Connectable, lookup_key: Hashable, build: Callable[[], Any], values: Parameters
    ) -> list[Row]:
        """Run an INSERT or UPDATE, and return its rows. `build` runs once per `lookup_key`.

        With a database instead of a session, the statement is committed when this returns.
        """
        # Adds the current user, if the service has authentication.
        return await self._run(db, *with_current_user(lookup_key, build, values), write=True)

    async def _run(
        self,
        db: Connectable,
        lookup_key: Hashable,
        build: Callable[[], Any],
        values: Parameters | None,
        key: CacheKey | None = None,
        *,
        write: bool = False,
    ) -> list[Row]:
        dialect = (db.get_bind() if isinstance(db, AsyncSession) else db.engine).dialect
        try:
            prepared = self._prepared[dialect, lookup_key]
        except TypeError:  # an option is not hashable, such as `schema_translate_map`
            return await _execute(db, build(), values, write=write)
        except KeyError:
            prepared = prepare(build(), dialect, key)
            if lookup_key:
                if len(self._prepared) >= _CACHE_SIZE:
                    self._prepared.clear()
                self._prepared[dialect, lookup_key] = prepared
        if prepared is None:
            return await _execute(db, build(), values, write=write)
        arguments = prepared.arguments(key, values)
        if isinstance(db, AsyncSession):
            # Like the autoflush of a session.
            await db.flush()
            connection = await db.connection()
            result = await connection.exec_driver_sql(prepared.sql, tuple(arguments))
            return prepared.rows(result.all())
        fetch = db.fetch_committed if write else db.fetch
        return prepared.rows(await fetch(prepared.sql, arguments))


async def _execute(
    db: Connectable, statement: Any, values: Parameters | None, *, write: bool = False
) -> list[Row]:
    """Run a statement that cannot be prepared, because its SQL depends on parameter values."""
    if isinstance(db, AsyncSession):
        await db.flush()
        result = await (await db.connection()).execute(statement, values)
        return [dict(row) for row in result.mappings()]
    async with db.transaction() if write else db.reading() as session:
        return await _execute(session, statement, values)


def cache_key(statement: Any) -> CacheKey | None:
    """Return SQLAlchemy's cache key: equal for statements that differ only in parameter values.

    Returns None if SQLAlchemy does not cache the statement. This is the only place that uses this
    private method of SQLAlchemy.
    """
    key: CacheKey | None = statement._generate_cache_key()
    return key


def prepare(statement: Any, dialect: Dialect, key: CacheKey | None = None) -> Prepared | None:
    """Compile a statement that returns columns. Return None if its SQL depends on its values.

    For example, the SQL of `IN (…)` depends on the number of values, unless the values are fixed,
    as in the condition of single-table inheritance.
    """
    compiled: SQLCompiler = statement.compile(dialect=dialect, cache_key=key)
    sql, positions = compiled.string, list(compiled.positiontup or ())
    fixed: dict[str, Any] = {}
    types = {name: bind.type for name, bind in compiled.binds.items()}
    rendered_in_sql = compiled.post_compile_params | compiled.literal_execute_params
    if rendered_in_sql:
        values = _values(compiled, key)
        if any(values[compiled.bind_names[bind]] is _VARYING for bind in rendered_in_sql):
            return None
        state = compiled.construct_expanded_state(values)
        sql, positions = state.statement, list(state.positiontup or ())
        for owner, parts in state.parameter_expansion.items():
            fixed |= {part: state.parameters[part] for part in parts}
            types |= dict.fromkeys(parts, types[owner])
    parameters = tuple(
        (name, types[name].dialect_impl(dialect).bind_processor(dialect)) for name in positions
    )
    columns = tuple(
        (column.key or "", _result_processor(column.type, dialect))
        for column in statement.exported_columns
    )
    return Prepared(sql, compiled, parameters, fixed, columns)


def _values(compiled: SQLCompiler, key: CacheKey | None) -> dict[str, Any]:
    """Return the values of all parameters, with `_VARYING` for those that each execution sets."""
    named = {bind.key: _VARYING for bind in compiled.binds.values() if bind.required}
    extracted: list[Any] = [bindparam(None, _VARYING) for _ in key.bindparams] if key else []
    return dict(compiled.construct_params(named, extracted or None))


def _result_processor(column_type: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    # Other types ignore the OID.
    oid = _FLOAT8 if isinstance(column_type, Float) else _NUMERIC
    return column_type.dialect_impl(dialect).result_processor(dialect, oid)
