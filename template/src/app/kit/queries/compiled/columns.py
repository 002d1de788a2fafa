"""The statements of a view: the columns of its schema, with relationships as JSON."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Integer, Select, Text, bindparam, cast, inspect, select
from sqlalchemy.orm import aliased
from sqlalchemy.sql.util import ClauseAdapter, find_tables

from app.kit.db.base import primary_key
from app.kit.db.deletion import exclude_deleted
from app.kit.queries.compiled.json_sql import check_json, json_list, json_object
from app.kit.queries.pagination import count_rows, ordered_rows, repeats_rows

Schema: TypeAlias = type[BaseModel]

# Prefix of the labels of cursor columns. The name of an attribute cannot contain a colon.
CURSOR = "cursor:"


class ViewSelects:
    """Statements that select the fields of a schema instead of the model.

    Each method changes the columns of a statement like `select(model).where(…).order_by(…)`.
    """

    def __init__(self, schema: Schema, model: type[Any]) -> None:
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
        """Select the rows of a page, with the parameters `page_limit` and `page_offset`.

        PostgreSQL also computes the columns of the rows that OFFSET skips.
        """
        return self.rows(_limited(ordered_rows(statement)))

    def deep_page(self, statement: Select[Any]) -> Select[Any]:
        """Select the same rows as `first_page`, by primary keys from a subquery.

        PostgreSQL reads the relationships of these rows only, not of the rows that OFFSET skips.
        """
        if repeats_rows(statement) or not self.has_relationships:
            return self.first_page(statement)
        ordered, key = ordered_rows(statement), primary_key(self.model)
        keys = _limited(ordered).with_only_columns(key, maintain_column_froms=True)
        return self.rows(ordered.where(key.in_(keys.correlate(None))))

    def rows_with_cursor(self, statement: Select[Any]) -> Select[Any]:
        """Select the columns of the schema and of the cursor."""
        # The statement selects the model, and then the columns of the cursor.
        cursor = [column["expr"] for column in statement.column_descriptions[1:]]
        columns = columns_of(self.schema, self.model)
        columns += [column.label(f"{CURSOR}{index}") for index, column in enumerate(cursor)]
        return exclude_deleted(statement.with_only_columns(*columns, maintain_column_froms=True))

    def total(self, statement: Select[Any]) -> Select[Any]:
        """Count the rows on all pages."""
        return exclude_deleted(count_rows(statement))


def _limited(statement: Select[Any]) -> Select[Any]:
    limited = statement.limit(bindparam("page_limit", type_=Integer))
    return limited.offset(bindparam("page_offset", type_=Integer))


def columns_of(
    schema: Schema, model: Any, outer: tuple[Schema, ...] = ()
) -> list[ColumnElement[Any]]:
    """Return the columns of a model or alias for the fields of a schema.

    A field selects the attribute with its name or alias: a column, a `column_property`, a
    `hybrid_property` or a relationship. Raises TypeError if there is no such attribute.
    """
    if schema in outer:
        raise TypeError(
            f"{schema.__name__} contains itself, but a view needs a fixed depth:"
            " use another schema for the inner level."
        )
    # Resolves annotations with names that were defined after the schema.
    schema.model_rebuild()
    relationships = inspect(model).mapper.relationships
    columns: list[ColumnElement[Any]] = []
    for field, name in attribute_names(schema).items():
        if name in relationships:
            related = _related_as_json(schema, field, name, model, (*outer, schema))
            # As text on the outermost level: asyncpg would call Python code to parse JSON.
            columns.append((related if outer else cast(related, Text)).label(name))
        else:
            columns.append(_column(schema, field, name, model).label(name))
    return columns


def attribute_names(schema: Schema) -> dict[str, str]:
    """Return the name of the model attribute for each field of a schema."""
    names: dict[str, str] = {}
    for field, info in schema.model_fields.items():
        alias = info.validation_alias
        if not (alias is None or isinstance(alias, str)):
            raise TypeError(f"{schema.__name__}.{field}: a view needs an alias that is a string.")
        names[field] = alias or field
    return names


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


def _related_as_json(
    schema: Schema, field: str, name: str, model: Any, outer: tuple[Schema, ...]
) -> ColumnElement[Any]:
    """Return the related rows as JSON, in the order of the relationship."""
    relationship = inspect(model).mapper.relationships[name]
    # Use an alias, because a model may have a relationship to itself.
    target = aliased(relationship.entity)
    target_schema = _related_schema(schema, field)
    columns = columns_of(target_schema, target, outer)
    for column in columns:
        check_json(column, f"{target_schema.__name__}.{column.key}")
    join_condition = getattr(model, name).of_type(target).__clause_element__()
    # Replaces the tables in `order_by` with the aliases in the join condition.
    adapter = ClauseAdapter(inspect(target).selectable)
    for table in find_tables(join_condition, check_columns=True):
        if relationship.secondary is not None and table.is_derived_from(relationship.secondary):
            adapter.chain(ClauseAdapter(table))
    rows = (
        select(*columns)
        .where(join_condition)
        .order_by(*(adapter.traverse(term) for term in relationship.order_by or ()))
        .correlate(model)
    )
    return json_list(rows) if relationship.uselist else json_object(rows)


def _related_schema(schema: Schema, field: str) -> Schema:
    """Return the schema in an annotation such as `list[TagOut]` or `AuthorOut | None`."""
    found = list(_schemas_in(schema.model_fields[field].annotation))
    if len(found) != 1:
        raise TypeError(
            f"{schema.__name__}.{field}: the annotation of a relationship needs exactly one schema,"
            " as in `list[TagOut]` or `AuthorOut | None`."
        )
    return found[0]


def _schemas_in(annotation: Any) -> Iterable[Schema]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _schemas_in(part)
