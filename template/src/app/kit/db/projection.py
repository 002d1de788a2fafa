"""Rows in the form of a schema: one statement reads what it shows, relations included.

For lists. To load a model with its relations and to read a response from the objects takes several
times as long as to read the columns of the response, with what belongs to each row as JSON. For
what has methods, or is to be changed, load objects with a plan.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar, get_args

from pydantic import BaseModel
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Numeric,
    Select,
    String,
    Uuid,
    inspect,
    select,
)
from sqlalchemy.orm import Bundle, aliased
from sqlalchemy.sql.util import ClauseAdapter, find_tables

from app.kit.db.json import json_list, json_object

Schema: TypeAlias = type[BaseModel]
S = TypeVar("S", bound=BaseModel)

# What a schema reads from JSON as it was stored; anything else would need a form of its own.
_IN_LISTS = (Boolean, Date, Enum, Float, Integer, String, Uuid)
_IN_JSON = (*_IN_LISTS, JSON, Numeric)


class Projection(Generic[S]):
    """What a schema shows of a model.

    Its fields are named as columns and relations; a relation is shown by a schema, or by a list of
    one, and comes in the order of the relation. What a session hides is hidden there too.
    """

    def __init__(self, schema: type[S], model: type[Any]) -> None:
        self.schema = schema
        self.model = model

    def select(self) -> Select[S]:
        """The statement of all rows; raises TypeError where the schema shows what is not stored."""
        return self._statement

    @cached_property
    def _statement(self) -> Select[S]:
        # With the first use: then every model that a relation names has been imported.
        return select(_Shown(self.schema, columns_of(self.schema, self.model)))


class _Shown(Bundle[S]):
    """Columns that are selected together, and become a schema."""

    def __init__(self, schema: type[S], columns: Sequence[ColumnElement[Any]]) -> None:
        super().__init__(schema.__name__, *columns)
        self.schema = schema

    def create_row_processor(
        self,
        query: object,
        procs: Sequence[Callable[[Any], Any]],
        labels: Iterable[str],
    ) -> Callable[[Any], S]:
        """How a row becomes a schema."""
        validate, fields = self.schema.model_validate, tuple(zip(labels, procs, strict=True))
        return lambda row: validate({name: read(row) for name, read in fields})


def columns_of(
    schema: Schema, model: Any, within: tuple[Schema, ...] = ()
) -> list[ColumnElement[Any]]:
    """What a schema shows of a model, or of an alias of one."""
    if schema in within:
        raise TypeError(f"{schema.__name__} shows itself: how deep is for a statement of your own")
    # What it names may have been declared after it.
    schema.model_rebuild()
    mapper, within = inspect(model).mapper, (*within, schema)
    columns: list[ColumnElement[Any]] = []
    for name in schema.model_fields:
        column: Any = getattr(model, name, None)
        if name in mapper.relationships:
            columns.append(_related(schema, name, model, within).label(name))
        elif hasattr(column, "label"):
            columns.append(column.label(name))
        else:
            raise TypeError(
                f"{schema.__name__}.{name}: {mapper.class_.__name__} has no column or relation of"
                " this name; load objects with a plan where a schema shows more than is stored"
            )
    return columns


def _related(
    schema: Schema, name: str, model: Any, within: tuple[Schema, ...]
) -> ColumnElement[Any]:
    """What belongs to a row, as JSON."""
    relation = inspect(model).mapper.relationships[name]
    # Under a name of its own, as a model may be related to itself.
    other = aliased(relation.entity)
    shown = _schema_in(schema, name)
    columns = columns_of(shown, other, within)
    for column in columns:
        _check(shown, column)
    joined = getattr(model, name).of_type(other).__clause_element__()
    named = ClauseAdapter(inspect(other).selectable)
    for table in find_tables(joined, check_columns=True):
        # What is between the two has a name of its own there, too.
        if relation.secondary is not None and table.is_derived_from(relation.secondary):
            named.chain(ClauseAdapter(table))
    rows = (
        select(*columns)
        .where(joined)
        .order_by(*(named.traverse(term) for term in relation.order_by or ()))
        .correlate(model)
    )
    written = json_list if relation.uselist else json_object
    return written(rows, nan_as_null=False)


def _schema_in(schema: Schema, name: str) -> Schema:
    """The schema of what belongs to a row, as in `list[TagOut]` and `AuthorOut | None`."""
    found = list(_schemas(schema.model_fields[name].annotation))
    if len(found) != 1:
        raise TypeError(f"{schema.__name__}.{name}: a relation is shown by a schema, and by one")
    return found[0]


def _schemas(annotation: Any) -> Iterable[Schema]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _schemas(part)


def _check(schema: Schema, column: ColumnElement[Any]) -> None:
    where = f"{schema.__name__}.{column.key}"
    match column.type:
        case ARRAY(item_type=kind):
            suits = isinstance(kind, _IN_LISTS)
        case DateTime(timezone=zone) as kind:
            suits = zone
        case kind:
            suits = isinstance(kind, _IN_JSON)
    if not suits:
        raise TypeError(f"{where}: {column.type!r} has no form in JSON")
    if isinstance(kind, Enum) and kind.enum_class and kind.enums != _values(kind.enum_class):
        raise TypeError(f"{where}: a schema reads values, not names: use `stored_by_value`")


def _values(members: Any) -> list[Any]:
    return [member.value for member in members]
