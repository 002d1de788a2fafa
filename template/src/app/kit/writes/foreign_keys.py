"""Check the foreign keys of a request body."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import TimestampedModel, any_of
from app.kit.db.ids import Id
from app.kit.errors.problems import FieldProblem, Invalid


async def check_references(
    session: AsyncSession, body: BaseModel, models: Mapping[str, type[TimestampedModel]]
) -> None:
    """Raise `Invalid` if a field contains the id of a row that does not exist.

    Locks the rows FOR SHARE: a concurrent DELETE waits until the transaction ends. A field contains
    an id, a list of ids, or null. Fields that the client did not send are ignored.

    Args:
        session: the session of the request.
        body: the body of the request.
        models: the referenced model of each field.

    """
    problems: list[FieldProblem] = []
    for name, model in models.items():
        ids = set(_ids(getattr(body, name))) if name in body.model_fields_set else set[Id]()
        if not ids:
            continue
        # A fixed lock order prevents deadlocks.
        statement = select(model.id).where(any_of(model.id, ids)).order_by(model.id)
        missing = ids - set(await session.scalars(statement.with_for_update(read=True)))
        if missing:
            message = f"does not exist: {', '.join(sorted(map(str, missing)))}"
            problems.append(FieldProblem(field=f"body.{name}", message=message))
    if problems:
        raise Invalid("The request refers to rows that do not exist.", *problems)


def _ids(value: Any) -> Iterator[Id]:
    if isinstance(value, list):
        yield from cast("list[Id]", value)
    elif value is not None:
        yield value
