"""Statements compiled once: their text, and how values go in and rows come out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, Dialect, Float, Select
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import TypeEngine

# Of any number of columns.
AnySelect: TypeAlias = Select[*tuple[Any, ...]]
AnyInsert: TypeAlias = ReturningInsert[*tuple[Any, ...]]
Processor: TypeAlias = Callable[[Any], Any]

# How PostgreSQL names them: a number is read as what it was sent as; of others nobody asks.
_DOUBLE, _NUMERIC = 701, 1700


@dataclass(frozen=True, slots=True)
class Argument:
    """One value that a statement takes: given by name, unless it is part of the statement."""

    name: str
    given: bool
    value: Any
    process: Processor | None

    def of(self, values: Mapping[str, Any]) -> Any:
        """What is sent for it; raises KeyError where it is missing."""
        value = values[self.name] if self.given else self.value
        return self.process(value) if self.process else value


@dataclass(frozen=True, slots=True)
class CompiledRead:
    """A statement in the words of the server, for the driver, and the rows that come of it."""

    sql: str
    arguments: tuple[Argument, ...]
    columns: tuple[tuple[str, Processor | None], ...]

    def values(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the statement; raises TypeError where one is missing."""
        try:
            return [argument.of(values) for argument in self.arguments]
        except KeyError as missing:
            raise TypeError(f"the statement needs a value for {missing}") from None

    def rows(self, records: Iterable[Iterable[Any]]) -> list[dict[str, Any]]:
        """The rows as the ordinary path would give them, by the names of their columns."""
        return [
            {
                name: process(value) if process else value
                for (name, process), value in zip(self.columns, record, strict=True)
            }
            for record in records
        ]


def compile_read(statement: AnySelect, dialect: Dialect) -> CompiledRead:
    """Compile a SELECT of columns. Raises TypeError where its text depends on its values."""
    # An attribute has a name of its own, which need not be that of its column.
    described = statement.column_descriptions
    if any(item["expr"] is item.get("entity") for item in described):
        raise TypeError("select the columns of the model, not the model")
    columns = list(statement.selected_columns)
    names = [str(item["name"]) for item in described]
    return compile_returning(statement, dict(zip(names, columns, strict=True)), dialect)


def compile_returning(
    statement: AnySelect | AnyInsert, columns: Mapping[str, Any], dialect: Dialect
) -> CompiledRead:
    """Compile a statement that returns these columns, by name; raises as `compile_read`."""
    compiled = statement.compile(dialect=dialect)
    # `IN (…)` has a text for each number of values, unless they are part of the statement, as the
    # classes of single-table inheritance are.
    if any(bind.required for bind in compiled.post_compile_params):
        raise TypeError("the statement has no fixed text: compare with `any_(…)`, not `in_`")
    given = {name: None for name, bind in compiled.binds.items() if bind.required}
    state = compiled.construct_expanded_state(given)
    owners = {part: name for name, parts in state.parameter_expansion.items() for part in parts}
    arguments = (
        _argument(compiled.binds[owners[name]], dialect, fixed=(state.parameters[name],))
        if name in owners
        else _argument(compiled.binds[name], dialect)
        for name in state.positiontup or ()
    )
    return CompiledRead(
        state.statement,
        tuple(arguments),
        tuple((name, _out(column.type, dialect)) for name, column in columns.items()),
    )


def _argument(bind: BindParameter[Any], dialect: Dialect, fixed: tuple[Any, ...] = ()) -> Argument:
    into = bind.type.dialect_impl(dialect).bind_processor(dialect)
    if fixed:
        return Argument(bind.key, given=False, value=fixed[0], process=into)
    return Argument(bind.key, bind.required, bind.effective_value, into)


def _out(kind: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    sent = _DOUBLE if isinstance(kind, Float) else _NUMERIC
    return kind.dialect_impl(dialect).result_processor(dialect, sent)
