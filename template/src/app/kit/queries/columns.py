"""The columns of a model that a response schema selects, with relationships as JSON."""

from collections.abc import Iterable
from typing import Any, TypeAlias, get_args

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
    String,
    Uuid,
    inspect,
    select,
)
from sqlalchemy.orm import aliased
from sqlalchemy.sql.util import ClauseAdapter, find_tables
from sqlalchemy.types import NullType

from app.kit.db.json import json_list, json_object

Schema: TypeAlias = type[BaseModel]

# Types whose JSON a schema parses without loss.
_IN_LISTS = (Boolean, Date, Enum, Float, Integer, String, Uuid)
_IN_JSON = (*_IN_LISTS, JSON, Numeric)


def columns_of(
    schema: Schema, model: Any, within: tuple[Schema, ...] = ()
) -> list[ColumnElement[Any]]:
    """Return the columns of a model or alias for the fields of a schema.

    A field selects the attribute with its name or alias: a column, a `column_property`, a
    `hybrid_property` or a relationship. Raises TypeError if there is no such attribute.
    """
    if schema in within:
        raise TypeError(
            f"{schema.__name__} contains itself, but a view needs a fixed depth:"
            " use another schema for the inner level."
        )
    # Resolves annotations with names that were defined after the schema.
    schema.model_rebuild()
    relationships, within = inspect(model).mapper.relationships, (*within, schema)
    columns: list[ColumnElement[Any]] = []
    for field, name in attribute_names(schema).items():
        if name in relationships:
            columns.append(_related(schema, field, name, model, within).label(name))
        else:
            columns.append(_column(schema, field, name, model).label(name))
    return columns


def attribute_names(schema: Schema) -> dict[str, str]:
    """Return the name of the model attribute for each field of a schema."""
    found: dict[str, str] = {}
    for field, info in schema.model_fields.items():
        alias = info.validation_alias
        if not (alias is None or isinstance(alias, str)):
            raise TypeError(f"{schema.__name__}.{field}: a view needs an alias that is a string.")
        found[field] = alias or field
    return found


def _column(schema: Schema, field: str, name: str, model: Any) -> Any:
    mapper, missing = inspect(model).mapper, object()
    where, attribute = f"{schema.__name__}.{field}", f"{mapper.class_.__name__}.{name}"
    try:
        column = getattr(model, name, missing)
    except TypeError as error:
        raise TypeError(
            f"{where}: {attribute} cannot be computed in SQL ({error}):"
            " add an expression to the hybrid_property."
        ) from error
    if column is missing:
        raise TypeError(
            f"{where}: {mapper.class_.__name__} has no attribute {name!r}:"
            " correct the name, or add a column_property or hybrid_property."
        )
    if not hasattr(column, "label"):
        raise TypeError(
            f"{where}: {attribute} is computed in Python, but a view reads SQL:"
            " make it a hybrid_property with an expression, or a column_property."
        )
    return column


def _related(
    schema: Schema, field: str, name: str, model: Any, within: tuple[Schema, ...]
) -> ColumnElement[Any]:
    """Return the related rows as JSON, in the order of the relationship."""
    relation = inspect(model).mapper.relationships[name]
    # Use an alias, because a model may have a relationship to itself.
    other = aliased(relation.entity)
    shown = _schema_in(schema, field)
    columns = columns_of(shown, other, within)
    for column in columns:
        _check(shown, column)
    joined = getattr(model, name).of_type(other).__clause_element__()
    named = ClauseAdapter(inspect(other).selectable)
    for table in find_tables(joined, check_columns=True):
        # `joined` uses an alias of the secondary table too.
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


def _schema_in(schema: Schema, field: str) -> Schema:
    """Return the schema of the related rows, as in `list[TagOut]` or `AuthorOut | None`."""
    found = list(_schemas(schema.model_fields[field].annotation))
    if len(found) != 1:
        raise TypeError(
            f"{schema.__name__}.{field}: the annotation of a relationship needs exactly one schema,"
            " as in `list[TagOut]` or `AuthorOut | None`."
        )
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
    if isinstance(kind, NullType):
        raise TypeError(f"{where}: the expression has no type: set it with `type_coerce`.")
    if not suits:
        raise TypeError(
            f"{where}: {column.type!r} cannot be read from the JSON of a relationship:"
            " remove the field, or select a column_property that casts it."
        )
    if isinstance(kind, Enum) and kind.enum_class and kind.enums != _values(kind.enum_class):
        raise TypeError(
            f"{where}: the column stores the names of the enum members, but a schema reads their"
            " values: use `stored_by_value`."
        )


def _values(members: Any) -> list[Any]:
    return [member.value for member in members]
