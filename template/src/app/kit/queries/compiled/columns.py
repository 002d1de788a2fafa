"""The columns of a model that a response schema selects, with relationships as JSON."""

import typing
from collections.abc import Iterable
from functools import cached_property
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel
from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    bindparam,
    cast,
    inspect,
    select,
)
from sqlalchemy.orm import aliased
from sqlalchemy.sql.util import ClauseAdapter, find_tables

from app.kit.db.base import primary_key
from app.kit.db.deletion import exclude_deleted
from app.kit.queries.compiled.json_sql import check_json, json_list, json_object
from app.kit.queries.pagination import count_rows, ordered_rows, repeats_rows

Schema: TypeAlias = type[BaseModel]

# Prefix of the cursor's columns. An attribute cannot contain a colon.
CURSOR = "cursor:"


class ViewSelects:
    """Converts a statement that selects the model to statements for the fields of the schema."""

    def __init__(self, schema: type[BaseModel], model: type[Any]) -> None:
        self.schema = schema
        self.model = model

    @cached_property
    def has_relationships(self) -> bool:
        """Whether the schema contains a relationship."""
        relationships = self.model.__mapper__.relationships
        return any(name in relationships for name in attribute_names(self.schema).values())

    def rows(self, statement: Select[Any]) -> Select[Any]:
        """Select the columns of the schema."""
        columns = columns_of(self.schema, self.model)
        return exclude_deleted(statement.with_only_columns(*columns, maintain_column_froms=True))

    def first_page(self, statement: Select[Any]) -> Select[Any]:
        """Select the rows of a page, with the parameters `page_limit` and `page_offset`."""
        return self.rows(_limited(ordered_rows(statement)))

    def deep_page(self, statement: Select[Any]) -> Select[Any]:
        """Select the rows of a page, with the page as a subquery of primary keys."""
        if repeats_rows(statement) or not self.has_relationships:
            return self.first_page(statement)
        # Otherwise PostgreSQL would read relationships of the rows that OFFSET skips.
        ordered, key = ordered_rows(statement), primary_key(self.model)
        keys = _limited(ordered).with_only_columns(key, maintain_column_froms=True)
        return self.rows(ordered.where(key.in_(keys.correlate(None))))

    def rows_with_cursor(self, statement: Select[Any]) -> Select[Any]:
        """Select the columns of the schema and of the cursor."""
        cursor = [each["expr"] for each in statement.column_descriptions[1:]]
        columns = columns_of(self.schema, self.model) + _with_labels(cursor)
        return exclude_deleted(statement.with_only_columns(*columns, maintain_column_froms=True))

    def total(self, statement: Select[Any]) -> Select[Any]:
        """Count the rows of a paginated statement."""
        return exclude_deleted(count_rows(statement))


def _limited(statement: Select[Any]) -> Select[Any]:
    limit, offset = (bindparam(f"page_{name}", type_=Integer) for name in ("limit", "offset"))
    return statement.limit(limit).offset(offset)


def cursor_values(statement: Select[Any]) -> Select[Any]:
    """Select only the columns of the cursor."""
    columns = [each["expr"] for each in statement.column_descriptions]
    shown: Any = _with_labels(columns)
    values = statement.with_only_columns(*shown, maintain_column_froms=True)
    return exclude_deleted(typing.cast("Select[Any]", values))


def _with_labels(columns: list[Any]) -> list[Any]:
    return [column.label(f"{CURSOR}{index}") for index, column in enumerate(columns)]


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
            found = _related(schema, field, name, model, within)
            # As text on the outermost level: asyncpg would call Python code to parse JSON.
            columns.append((found if len(within) > 1 else cast(found, Text)).label(name))
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
        check_json(column, f"{shown.__name__}.{column.key}")
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
