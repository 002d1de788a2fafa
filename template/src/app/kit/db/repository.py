"""A typed collection of one model, bound to the session of a request."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from fastapi import Depends
from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.db.base import Record
from app.kit.db.deletion import erase
from app.kit.db.ids import Id
from app.kit.db.session import SessionDep
from app.kit.errors import NotFound
from app.kit.page import PageQuery, Slice

M = TypeVar("M", bound=Record)
R = TypeVar("R", bound="Repository[Any]")


class Repository(Generic[M]):
    """Reads and writes one model. It flushes; only the edge of the service commits."""

    model: ClassVar[type[Any]]

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, key: Id, *plan: ORMOption) -> M:
        """The row with this key, or `NotFound`."""
        if found := await self.one_by(self.model.id == key, *plan):
            return found
        raise NotFound(f"There is no {self.model.__name__.lower()} {key}.")

    async def one_by(self, condition: ColumnElement[bool], *plan: ORMOption) -> M | None:
        """The one row that meets a condition on a unique column, or None."""
        row: M | None = await self.session.scalar(
            select(self.model).where(condition).options(*plan)
        )
        return row

    async def exists(self, *conditions: ColumnElement[bool]) -> bool:
        """Whether any row meets the conditions; stops at the first."""
        query = select(exists(select(self.model.id).where(*conditions)))
        return bool(await self.session.scalar(query))

    async def count(self, *conditions: ColumnElement[bool]) -> int:
        """How many rows meet the conditions."""
        query = select(func.count()).select_from(self.model).where(*conditions)
        return await self.session.scalar(query) or 0

    async def page(self, query: PageQuery, statement: Select[M], *plan: ORMOption) -> Slice[M]:
        """One page of a statement, with the total. The key breaks ties of its order."""
        counted = select(func.count()).select_from(statement.order_by(None).subquery())
        total = await self.session.scalar(counted) or 0
        ordered = statement.order_by(self.model.id).options(*plan)
        rows = await self.session.scalars(ordered.limit(query.limit).offset(query.offset))
        return Slice(rows.all(), total, query.limit, query.offset)

    async def add(self, record: M) -> M:
        """Insert a row; its generated values are set when this returns."""
        self.session.add(record)
        await self.session.flush()
        return record

    async def update(self, record: M, changes: Mapping[str, Any]) -> M:
        """Set these columns; a name that is none is a `TypeError`, never silently ignored."""
        columns = self.model.__mapper__.column_attrs.keys()
        for name, value in changes.items():
            if name not in columns:
                raise TypeError(f"{self.model.__name__} has no column {name!r} to update")
            setattr(record, name, value)
        await self.session.flush()
        return record

    async def delete(self, key: Id) -> None:
        """Delete the row with this key, or raise `NotFound`."""
        await erase(self.session, await self.get(key))


def provided(repository: type[R]) -> Any:
    """The dependency that hands an endpoint its repository, for use in `Annotated`."""

    # A coroutine: FastAPI would run a plain class in a thread of its own.
    async def build(session: SessionDep) -> R:
        return repository(session)

    dependency: Callable[..., Any] = build
    return Depends(dependency)
