"""The columns that a view reads and writes: the fields of its schema, relationships as JSON."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    Update,
    bindparam,
    cast,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.orm import aliased
from sqlalchemy.sql.util import ClauseAdapter, find_tables

from app.kit.db.base import (
    Base,
    attribute_name,
    check_columns,
    check_one_table,
    next_version,
    primary_key,
    python_default,
    table_columns,
)
from app.kit.db.deletion import exclude_deleted
from app.kit.queries.compiled.json_sql import check_json, json_list, json_object

Schema: TypeAlias = type[BaseModel]

# SQLAlchemy reserves parameter names that are equal to the names of columns.
_PREFIX = "new__"


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
    related = related_fields(schema, model)
    columns: list[ColumnElement[Any]] = []
    for field, name in attribute_names(schema).items():
        if field in related:
            json = _related_as_json(schema, field, name, model, (*outer, schema))
            # As text on the outermost level: asyncpg would call Python code to parse JSON.
            columns.append((json if outer else cast(json, Text)).label(name))
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


def related_fields(schema: Schema, model: Any) -> dict[str, str]:
    """Return the fields that are relationships, with the names of their attributes."""
    relationships = inspect(model).mapper.relationships
    names = attribute_names(schema).items()
    return {field: name for field, name in names if name in relationships}


def _column(schema: Schema, field: str, name: str, model: Any) -> Any:
    where, owner = f"{schema.__name__}.{field}", inspect(model).mapper.class_.__name__
    try:
        column = getattr(model, name)
    except AttributeError as error:
        raise TypeError(
            f"{where}: {owner} has no attribute {name!r}:"
            " correct the name, or add a column_property or hybrid_property."
        ) from error
    except TypeError as error:
        raise TypeError(
            f"{where}: {owner}.{name} cannot be computed in SQL ({error}):"
            " add an expression to the hybrid_property."
        ) from error
    if not hasattr(column, "label"):
        raise TypeError(
            f"{where}: {owner}.{name} is computed in Python, but a view reads SQL:"
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
    # In `order_by`, replace each table by the alias used in the join condition.
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


def insert_row(schema: Schema, model: type[Any], names: Collection[str]) -> Select[Any]:
    """Return an INSERT that sets these attributes, and returns the columns of a schema."""
    values, mapper = _values(model, names, lambda column: column.default), model.__mapper__
    if mapper.polymorphic_on is not None:
        values |= _discriminator(mapper, names)
    version, generate = mapper.version_id_col, mapper.version_id_generator
    if version is not None and callable(generate):
        values[attribute_name(mapper, version)] = _computed(partial(generate, None), version)
    table, columns = model.__table__, table_columns(mapper)
    statement: Any = insert(table).values({columns[name]: values[name] for name in values})
    # SQLAlchemy does not correlate a subquery with the table of an INSERT, so select the
    # relationships from a CTE.
    inserted = statement.returning(*table.c).cte("inserted")
    return select(*columns_of(schema, aliased(model, inserted)))


def update_row(schema: Schema, model: type[Any], names: Collection[str]) -> Update:
    """Return an UPDATE that sets these attributes, and returns the columns of a schema.

    It updates the row with primary key `:row__key`.
    """
    values = next_version(model) | _values(model, names, lambda column: column.onupdate)
    statement = update(model).where(primary_key(model) == bindparam("row__key")).values(values)
    return exclude_deleted(statement.returning(*columns_of(schema, model)))


def arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of an INSERT or UPDATE that sets attributes to these values."""
    return {_PREFIX + name: value for name, value in values.items()}


def _values(
    model: type[Base], names: Collection[str], default_of: Callable[[Any], Any]
) -> dict[str, Any]:
    """Return a parameter for each of these attributes, and for those with a Python default."""
    check_one_table(model, "write it with a repository")
    check_columns(model, names)
    values: dict[str, Any] = {}
    for name, column in table_columns(model.__mapper__).items():
        if name in names:
            values[name] = bindparam(_PREFIX + name, type_=column.type)
        # SQLAlchemy adds other defaults, which are SQL expressions, to the statement.
        elif default := python_default(default_of(column)):
            values[name] = _computed(default, column)
    return values


def _computed(function: Callable[[], Any], column: Any) -> Any:
    """Return a parameter whose value is computed for each execution."""
    return bindparam(None, callable_=function, type_=column.type)


def _discriminator(mapper: Any, names: Collection[str]) -> dict[str, Any]:
    """Return the value of the discriminator column (single-table inheritance)."""
    column, identity = mapper.polymorphic_on, mapper.polymorphic_identity
    if identity is None or column not in mapper.columns.values():
        raise TypeError(f"{mapper.class_.__name__} has no polymorphic identity: insert a subclass.")
    name = attribute_name(mapper, column)
    if name in names:
        raise TypeError(f"{mapper.class_.__name__}.{name} is set by the class: do not pass it.")
    return {name: _computed(lambda: identity, column)}
