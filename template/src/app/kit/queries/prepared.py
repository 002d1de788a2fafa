"""Statements that are compiled once and run by asyncpg directly.

For a small query, the work of a session takes several times as long as the query itself. A prepared
statement sends SQL and arguments to asyncpg, and returns plain values instead of ORM objects.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Dialect, Float, bindparam
from sqlalchemy.sql.cache_key import CacheKey
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

Processor: TypeAlias = Callable[[Any], Any]

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

    def arguments(
        self, key: CacheKey | None = None, values: Mapping[str, Any] | None = None
    ) -> list[Any]:
        """Return the positional arguments for one execution.

        Args:
            key: the cache key of a statement with the parameter values to use.
            values: values of named parameters.

        Raises InvalidRequestError if a value is missing.
        """
        given = self.compiled.construct_params(values, key.bindparams if key else None)
        given.update(self.fixed)
        return [
            process(given[name]) if process else given[name] for name, process in self.parameters
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


def cache_key(statement: Any) -> CacheKey | None:
    """Return SQLAlchemy's cache key: equal for statements that differ only in parameter values.

    Returns None if SQLAlchemy does not cache the statement. This is the only place that uses this
    private method of SQLAlchemy.
    """
    key: CacheKey | None = statement._generate_cache_key()
    return key


def prepare(
    statement: Any, dialect: Dialect, key: CacheKey | None = None, names: Sequence[str] = ()
) -> Prepared | None:
    """Compile a statement that returns columns. Return None if its SQL depends on its values.

    The SQL of `IN (…)` depends on the number of values. The IN condition of single-table
    inheritance does not, because its values are fixed. `names` overrides the column names.
    """
    compiled: SQLCompiler = statement.compile(dialect=dialect, cache_key=key)
    sql, positions = compiled.string, list(compiled.positiontup or ())
    fixed: dict[str, Any] = {}
    types = {name: bind.type for name, bind in compiled.binds.items()}
    in_text = compiled.post_compile_params | compiled.literal_execute_params
    if in_text:
        varying = object()
        values = _values(compiled, key, varying)
        if any(values[compiled.bind_names[bind]] is varying for bind in in_text):
            return None
        state = compiled.construct_expanded_state(values)
        sql, positions = state.statement, list(state.positiontup or ())
        for owner, parts in state.parameter_expansion.items():
            fixed |= {part: state.parameters[part] for part in parts}
            types |= dict.fromkeys(parts, types[owner])
    columns = statement.exported_columns
    shown = zip(names or [column.key or "" for column in columns], columns, strict=True)
    return Prepared(
        sql,
        compiled,
        tuple((name, _bind_processor(types[name], dialect)) for name in positions),
        fixed,
        tuple((name, _result_processor(column.type, dialect)) for name, column in shown),
    )


def _values(compiled: SQLCompiler, key: CacheKey | None, varying: object) -> dict[str, Any]:
    """Return the values of all parameters, with `varying` for those that each execution sets."""
    given = {bind.key: varying for bind in compiled.binds.values() if bind.required}
    others: list[Any] | None = [bindparam(None, varying) for _ in key.bindparams] if key else None
    return dict(compiled.construct_params(given, others))


def _bind_processor(kind: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _result_processor(kind: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    sent = _FLOAT8 if isinstance(kind, Float) else _NUMERIC
    return kind.dialect_impl(dialect).result_processor(dialect, sent)
