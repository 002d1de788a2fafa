"""Insert or update rows (`INSERT … ON CONFLICT DO UPDATE`)."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    PrimaryKeyConstraint,
    UnaryExpression,
    UniqueConstraint,
    and_,
    inspect,
    literal_column,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import Base, check_columns, check_one_table, next_version, python_default
from app.kit.db.deletion import not_deleted
from app.kit.errors.problems import Conflict, FieldProblem
from app.kit.writes.bulk import CHUNK_SIZE, OPTIONS, NewRow, chunks, insert_values, names_of

_UNIQUE = (PrimaryKeyConstraint, UniqueConstraint)
_KEYS = (Column, UnaryExpression)  # the latter with DESC or NULLS FIRST


class UpsertResult(NamedTuple):
    """The number of inserted and of updated rows."""

    inserted: int
    updated: int


async def upsert_many(
    session: AsyncSession,
    model: type[Base],
    rows: Iterable[NewRow],
    by: Sequence[str],
    chunk: int = CHUNK_SIZE,
) -> UpsertResult:
    """Insert each row, or update the existing row with the same values in the columns `by`.

    The columns need a unique index. Rows of one call must differ in them. Objects in the session
    are not refreshed.

    Raises:
        Conflict: the existing row is soft-deleted, or belongs to another subclass.
        IntegrityError: the row violates another unique index. This may also happen when another
            request inserts the same row concurrently; `validate_then_store` of
            `app.kit.writes.request_checks` handles that.

    """
    check_one_table(model, "use `insert_many` and `update_where`")
    check_columns(model, by)
    columns: Any = model.__mapper__.columns
    key_columns = [columns[name].name for name in by]
    index_where = _index_predicate(model, by, key_columns)
    excluded = insert(model).excluded
    inserted = updated = 0
    for part in chunks(model, rows, chunk):
        changes: dict[str, Any] = {
            columns[name].name: excluded[columns[name].key]
            for name in names_of(part[0])
            if name not in by
        }
        # For rows with only the key: DO NOTHING would not return an existing row.
        unchanged = {key_columns[0]: columns[by[0]]}
        statement = (
            insert(model)
            .on_conflict_do_update(
                index_elements=key_columns,
                index_where=index_where,
                set_=_onupdate_and_version(model) | changes or unchanged,
                where=_update_condition(model),
            )
            # `xmax` is 0 for an inserted row. ON CONFLICT locks an existing row before the update,
            # which sets `xmax`. (From PostgreSQL 18 on, `old IS NULL` says the same.)
            .returning(literal_column("xmax = 0", Boolean))
        )
        new = insert_values(model, part)
        if missing := [name for name in by if name not in new[0]]:
            raise TypeError(f"The rows have no value of {', '.join(missing)}, which is in `by`.")
        # A fixed lock order prevents deadlocks between concurrent calls. None is not comparable.
        new.sort(key=lambda row: [(row[name] is not None, row[name]) for name in by])
        is_new = (await session.scalars(statement, new, execution_options=OPTIONS)).all()
        if len(is_new) < len(part):
            # `where` excluded an existing row: soft-deleted, or of another subclass.
            message = "already exists"
            fields = (FieldProblem(field=name, message=message) for name in by)
            raise Conflict(f"{' and '.join(by)} {message}.", *fields)
        inserted += sum(is_new)
        updated += len(is_new) - sum(is_new)
    return UpsertResult(inserted, updated)


def _index_predicate(model: type[Base], by: Sequence[str], columns: Sequence[str]) -> Any:
    """Return the WHERE condition of the unique index on these columns; None if it has none."""
    table: Any = model.__table__
    found = [
        each
        for each in (*table.indexes, *table.constraints)
        if (each.unique if isinstance(each, Index) else isinstance(each, _UNIQUE))
        and {column.name for column in each.columns} == {*columns}
        # ON CONFLICT does not match an index on an expression, such as lower(email).
        and all(isinstance(part, _KEYS) for part in getattr(each, "expressions", ()))
    ]
    for each in found:
        if isinstance(each, Index) or not (each.deferrable or each.initially):
            return each.dialect_options["postgresql"].get("where")
    message = f"{model.__name__} has no unique index on {', '.join(by)}"
    if found:
        message += f" for ON CONFLICT: {found[0].name} is deferrable. Remove `deferrable` from it."
    raise TypeError(message)


def _update_condition(model: type[Base]) -> ColumnElement[bool] | None:
    """Return the filter that an existing row must pass to be updated; None if there is none."""
    mapper = inspect(model)
    conditions = not_deleted(model)
    if mapper.single and mapper.polymorphic_on is not None:
        identities = [each.polymorphic_identity for each in mapper.self_and_descendants]
        conditions = (*conditions, mapper.polymorphic_on.in_(identities))
    return and_(*conditions) if conditions else None


def _onupdate_and_version(model: type[Base]) -> dict[str, Any]:
    """Return the values of `onupdate` and version columns, which SQLAlchemy does not add here."""
    columns = inspect(model).columns
    values = {columns[name].name: value for name, value in next_version(model).items()}
    for column in model.__table__.columns:
        default: Any = column.onupdate
        if default is not None:
            compute = python_default(default)
            values[column.name] = compute() if compute else default.arg
    return values
