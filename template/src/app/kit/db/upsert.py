"""Insert or update, whichever a row needs (`INSERT … ON CONFLICT`)."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    and_,
    inspect,
    literal_column,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.attributes import next_version
from app.kit.db.base import Record
from app.kit.db.bulk import CHUNK, OPTIONS, Row, chunks, with_class
from app.kit.db.deletion import not_deleted
from app.kit.errors import Conflict, FieldProblem

_UNIQUE = (PrimaryKeyConstraint, UniqueConstraint)


class Upserted(NamedTuple):
    """How many rows were new and how many were there."""

    inserted: int
    updated: int


async def upsert_many(
    session: AsyncSession,
    model: type[Record],
    rows: Iterable[Row],
    by: Sequence[str],
    chunk: int = CHUNK,
) -> Upserted:
    """Insert each row, or update the row that has the same values of `by`, a unique index.

    No two rows of a call may share them. Objects that the session already holds do not change.
    Raises Conflict where that row is deleted or of another subclass, and an IntegrityError where
    another unique index is in the way; now and then also where somebody inserts the very same row
    at the same time, which `app.kit.batch.checked` knows.
    """
    mapper = inspect(model)
    if len(mapper.tables) > 1:
        raise TypeError(
            f"An upsert writes one table, {model.__name__} has {len(mapper.tables)}: "
            "insert with `insert_many`, update with `update_where`"
        )
    new = old = 0
    for part in chunks(model, rows, chunk):
        columns: Any = model.__mapper__.columns
        index = [columns[name].name for name in by]
        excluded = insert(model).excluded
        changes: dict[str, Any] = {
            columns[name].name: excluded[columns[name].key] for name in part[0] if name not in by
        }
        statement = (
            insert(model)
            .on_conflict_do_update(
                index_elements=index,
                index_where=_predicate(model, by, index),
                set_=_touched(model) | changes,
                where=_replaceable(model),
            )
            # A row that was there is locked before it is updated, and its new version says so in
            # `xmax`; one that is new was never locked. (PostgreSQL 18 has `old IS NULL` for it.)
            .returning(literal_column("xmax = 0", Boolean))
        )
        # Rows are locked as they come: two calls that sort them cannot wait for each other.
        part.sort(key=lambda row: [row[name] for name in by])
        new_rows = with_class(model, part)
        found = await session.scalars(statement, new_rows, execution_options=OPTIONS)
        were_new = found.all()
        if len(were_new) < len(part):
            # A row that no query of the model finds has the same values.
            message = "is already taken"
            fields = (FieldProblem(field=name, message=message) for name in by)
            raise Conflict(f"{' and '.join(by)} {message}.", *fields)
        new += sum(were_new)
        old += len(were_new) - sum(were_new)
    return Upserted(new, old)


def _predicate(model: type[Record], by: Sequence[str], columns: Sequence[str]) -> Any:
    """The condition of the unique index on these columns; None where it holds for all rows."""
    table: Any = model.__table__
    for item in (*table.indexes, *table.constraints):
        unique = item.unique if isinstance(item, Index) else isinstance(item, _UNIQUE)
        if unique and {column.name for column in item.columns} == set(columns):
            return item.dialect_options["postgresql"].get("where")
    raise TypeError(f"{model.__name__} has no unique index on {', '.join(by)}")


def _replaceable(model: type[Record]) -> ColumnElement[bool] | None:
    """The condition on rows that queries of the model find; None where they find all."""
    mapper = inspect(model)
    conditions = not_deleted(model)
    if mapper.single and mapper.polymorphic_on is not None:
        kinds = [each.polymorphic_identity for each in mapper.self_and_descendants]
        conditions = (*conditions, mapper.polymorphic_on.in_(kinds))
    return and_(*conditions) if conditions else None


def _touched(model: type[Record]) -> dict[str, Any]:
    """What any update changes: here PostgreSQL decides on it, and SQLAlchemy cannot add it."""
    stamped = [column for column in model.__table__.columns if column.onupdate is not None]
    excluded = insert(model).excluded
    columns = inspect(model).columns
    version = {columns[name].name: value for name, value in next_version(model).items()}
    return version | {column.name: excluded[column.key] for column in stamped}
