"""Deprecated: statements compiled once. Use `app.kit.queries.view.View`; it goes in 0.7.0."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from sqlalchemy import Dialect
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.sql.dml import ReturningInsert
from typing_extensions import deprecated

from app.kit.db.json import AnySelect
from app.kit.queries.prepared import Prepared, Processor, prepare

__all__ = [
    "AnyInsert",
    "AnySelect",
    "Argument",
    "CompiledRead",
    "Processor",
    "compile_read",
    "compile_returning",
]

AnyInsert = Annotated[
    ReturningInsert[*tuple[Any, ...]],
    deprecated("use app.kit.queries.view.View; it goes in 0.7.0"),
]


@dataclass(frozen=True)
class _Compiled(Prepared):
    """A prepared statement whose values are given by name."""

    def values(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the statement; raises TypeError if one is missing."""
        try:
            return self.arguments(values=values)
        except InvalidRequestError as error:
            raise TypeError(str(error)) from None


@deprecated("use app.kit.queries.view.View; it goes in 0.7.0")
class CompiledRead(_Compiled):
    """A statement for the driver, and the columns that it returns."""


@deprecated("use app.kit.queries.view.View; it goes in 0.7.0")
@dataclass(frozen=True, slots=True)
class Argument:
    """One value that a statement takes: given by name, unless it is part of the statement."""

    name: str
    given: bool
    value: Any
    process: Callable[[Any], Any] | None

    def of(self, values: Mapping[str, Any]) -> Any:
        """What is sent for it; raises KeyError if it is missing."""
        value = values[self.name] if self.given else self.value
        return self.process(value) if self.process else value


@deprecated("use app.kit.queries.view.View; it goes in 0.7.0")
def compile_read(statement: AnySelect, dialect: Dialect) -> _Compiled:
    """Compile a SELECT of columns. Raises TypeError if its text depends on its values."""
    # An attribute has a name of its own, which need not be that of its column.
    described = statement.column_descriptions
    if any(item["expr"] is item.get("entity") for item in described):
        raise TypeError("select the columns of the model, not the model")
    return _compile(statement, [str(item["name"]) for item in described], dialect)


@deprecated("use app.kit.queries.view.View; it goes in 0.7.0")
def compile_returning(statement: Any, columns: Mapping[str, Any], dialect: Dialect) -> _Compiled:
    """Compile a statement that returns these columns, by name; raises as `compile_read`."""
    return _compile(statement, list(columns), dialect)


def _compile(statement: Any, names: list[str], dialect: Dialect) -> _Compiled:
    prepared = prepare(statement, dialect, names=names)
    if prepared is None:
        raise TypeError("the statement has no fixed text: compare with `any_(…)`, not `in_`")
    return _Compiled(
        prepared.sql, prepared.compiled, prepared.parameters, prepared.fixed, prepared.columns
    )
