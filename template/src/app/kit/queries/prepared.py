"""Statements compiled once for the driver.

A session prepares each execution of a statement again and builds objects from its rows, which takes
several times as long as PostgreSQL takes to answer a small one. A prepared statement goes to the
driver as text with its arguments, and its rows come back as plain values.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Float
from sqlalchemy.sql.cache_key import CacheKey
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from app.kit.db.compiled import Processor

# OIDs of PostgreSQL's float8 and numeric: how a number is converted depends on what was sent.
_FLOAT8, _NUMERIC = 701, 1700


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement in the text of the server, its parameters and its result columns."""

    sql: str
    compiled: SQLCompiler
    parameters: tuple[tuple[str, Processor | None], ...]
    columns: tuple[tuple[str, Processor | None], ...]

    def arguments(
        self, key: CacheKey | None = None, values: Mapping[str, Any] | None = None
    ) -> list[Any]:
        """Return the arguments of one execution, in the order of the statement.

        `key` is that of a statement with other values for its parameters, `values` are given by
        name. Raises InvalidRequestError if one is missing.
        """
        given = self.compiled.construct_params(values, key.bindparams if key else None)
        return [
            process(given[name]) if process else given[name] for name, process in self.parameters
        ]

    def rows(self, records: Iterable[Iterable[Any]]) -> list[dict[str, Any]]:
        """Return the records by column name, with values as a session would return them."""
        return [
            {
                name: process(value) if process else value
                for (name, process), value in zip(self.columns, record, strict=True)
            }
            for record in records
        ]


def cache_key(statement: Any) -> CacheKey | None:
    """What statements have in common that differ only in the values of their parameters.

    None if SQLAlchemy does not cache statements of this kind. This is the key of SQLAlchemy's own
    cache, which has no public name; nothing else in a service uses it.
    """
    key: CacheKey | None = statement._generate_cache_key()
    return key


def prepare(statement: Any, dialect: Dialect, key: CacheKey | None = None) -> Prepared | None:
    """Compile a statement that returns columns; None if its text depends on its values.

    `IN (…)` is such a statement: it has one text for each number of values.
    """
    compiled: SQLCompiler = statement.compile(dialect=dialect, cache_key=key)
    if compiled.post_compile_params or compiled.literal_execute_params:
        return None
    names = compiled.positiontup or ()
    columns = statement.exported_columns
    return Prepared(
        compiled.string,
        compiled,
        tuple((name, _bind_processor(compiled.binds[name].type, dialect)) for name in names),
        tuple((column.key or "", _result_processor(column.type, dialect)) for column in columns),
    )


def _bind_processor(kind: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _result_processor(kind: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    sent = _FLOAT8 if isinstance(kind, Float) else _NUMERIC
    return kind.dialect_impl(dialect).result_processor(dialect, sent)
