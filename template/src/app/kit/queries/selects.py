"""The SELECT statements of a view."""

from functools import cached_property
from typing import Any, cast

from pydantic import BaseModel
from sqlalchemy import Select, func, select

from app.kit.db.attributes import primary_key
from app.kit.db.deletion import living
from app.kit.queries.columns import attribute_names, columns_of

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
        return living(statement.with_only_columns(*columns, maintain_column_froms=True))

    def rows_by_key(self, statement: Select[Any]) -> Select[Any]:
        """Select the columns of the schema, with the statement as a subquery of primary keys."""
        # Otherwise PostgreSQL would read relationships of the rows that OFFSET skips.
        key = primary_key(self.model)
        keys = statement.with_only_columns(key, maintain_column_froms=True).correlate(None)
        page = (
            statement.limit(None)
            .offset(None)
            .with_only_columns(*columns_of(self.schema, self.model), maintain_column_froms=True)
        )
        return living(page.where(key.in_(keys)))

    def rows_with_cursor(self, statement: Select[Any]) -> Select[Any]:
        """Select the columns of the schema and of the cursor."""
        cursor = [each["expr"] for each in statement.column_descriptions[1:]]
        columns = [*columns_of(self.schema, self.model), *_with_labels(cursor)]
        return living(statement.with_only_columns(*columns, maintain_column_froms=True))

    def total(self, statement: Select[Any]) -> Select[Any]:
        """Count the rows of the statement."""
        key = primary_key(self.model)
        keys = statement.with_only_columns(key, maintain_column_froms=True)
        counted = keys.order_by(None).subquery()
        return living(select(func.count().label("total")).select_from(counted))


def cursor_values(statement: Select[Any]) -> Select[Any]:
    """Select only the columns of the cursor."""
    columns = [each["expr"] for each in statement.column_descriptions]
    shown: Any = _with_labels(columns)
    values = statement.with_only_columns(*shown, maintain_column_froms=True)
    return living(cast("Select[Any]", values))


def _with_labels(columns: list[Any]) -> list[Any]:
    return [column.label(f"{CURSOR}{index}") for index, column in enumerate(columns)]
