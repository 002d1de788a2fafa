"""Requests that can be repeated without being done again: `Idempotency-Key`.

A client whose connection broke, or that was answered 500 or 503, cannot know what became of its
request. With a key it asks again, and is answered as it would have been; the answer to a
repetition bears `Idempotent-Replayed: true`. Only what succeeded is kept: an error leaves the key
free. A repetition that comes too early waits for the first, and is answered 503 after
`lock_timeout`. The header is that of draft-ietf-httpapi-idempotency-key-header; a key is taken as
it stands, in quotes or not.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from hashlib import sha256
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Header, Request, Response
from fastapi.exceptions import ResponseValidationError
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import CursorResult, SmallInteger, String, delete, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import Base, now
from app.kit.db.bulk import CHUNK
from app.kit.db.retry import DatabaseDep, retrying
from app.kit.db.session import Database
from app.kit.errors import FieldProblem, Invalid

HEADER, REPLAYED = "Idempotency-Key", "Idempotent-Replayed"
LONGEST_KEY = 255

Key = Annotated[
    str | None,
    Header(
        alias=HEADER,
        pattern=r"^[!-~]+$",
        max_length=LONGEST_KEY,
        description="Of this request alone, such as a UUID. Repeated with its key within a day, "
        "a request is not done again, but answered as before",
    ),
]
Work = Callable[[AsyncSession], Awaitable[object]]


class KeptAnswer(Base):
    """What was answered to a request with a key; a service declares one table of it."""

    __abstract__ = True

    # Within what the key means one thing: an operation, and who asks for it.
    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(LONGEST_KEY), primary_key=True)
    fingerprint: Mapped[bytes]
    # The answer. It is there before the transaction ends: nobody else sees a row without.
    status: Mapped[int | None] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(default=now, server_default=func.now(), index=True)


K = TypeVar("K", bound=KeptAnswer)


class KeyReused(Invalid):
    """The key was given to another request before."""


@dataclass(frozen=True, slots=True)
class Once:
    """What a request says of its being repeated, and how it is answered."""

    request: Request
    response: Response
    database: Database
    model: type[KeptAnswer]
    scope: str
    key: str | None

    async def do(self, work: Work) -> Response:
        """Do work as `retrying` does, unless its answer is kept; answer in the `response_model`.

        The answer is written before the commit: one that is not valid leaves nothing.
        """
        if self.key is None:
            return await retrying(self.database, partial(self._answer, work))
        fingerprint = await _fingerprint(self.request)
        return await retrying(
            self.database, partial(self._answer_once, work, self.key, fingerprint)
        )

    async def _answer(self, work: Work, session: AsyncSession) -> Response:
        route = self.request.scope["route"]
        body = _written(await work(session), route.response_model)
        return _json(body, route.status_code or 200, dict(self.response.headers))

    async def _answer_once(
        self, work: Work, key: str, fingerprint: bytes, session: AsyncSession
    ) -> Response:
        kept = await take_key(session, self.model, self.scope, key, fingerprint)
        if kept.fingerprint != fingerprint:
            problem = FieldProblem(field=f"header.{HEADER}", message="was given to another request")
            raise KeyReused("A new request needs a new key.", problem)
        if kept.status is not None:
            return _json(kept.body, kept.status, {**(kept.headers or {}), REPLAYED: "true"})
        answer = await self._answer(work, session)
        kept.status, kept.body = answer.status_code, bytes(answer.body)
        kept.headers = dict(self.response.headers)
        return answer


async def operation(request: Request) -> str:
    """The scope of a key: the operation that is asked for."""
    name: str = request.scope["route"].name
    return name


def once(model: type[KeptAnswer], scope: Callable[..., Awaitable[str]] = operation) -> Any:
    """The dependency that lets a client repeat a request, for use in `Annotated`.

    Where clients are told apart, the scope says who asks, or one could read what another was
    answered: a dependency that returns `operation(request)` and the caller's key.
    """

    async def build(
        request: Request,
        response: Response,
        database: DatabaseDep,
        within: Annotated[str, Depends(scope)],
        key: Key = None,
    ) -> Once:
        return Once(request, response, database, model, within, key)

    return Depends(build)


async def _fingerprint(request: Request) -> bytes:
    # What was sent, not what was read from it: a release that adds a default in between must not
    # make another request of it. The sequence of names in JSON says nothing.
    body = await request.body()
    try:
        content = json.loads(body) if body else None
    except (ValueError, RecursionError):  # not JSON, or nested too deeply
        content = sha256(body).hexdigest()
    said = [request.method, request.url.path, request.url.query, content]
    return sha256(json.dumps(said, sort_keys=True).encode()).digest()


def _written(result: object, schema: Any) -> bytes:
    adapter = _adapter(schema)
    try:
        return adapter.dump_json(
            adapter.validate_python(result, from_attributes=True), by_alias=True
        )
    except ValidationError as error:
        # As FastAPI would raise it, but without the values.
        raise ResponseValidationError(error.errors(include_input=False)) from None


@cache
def _adapter(schema: Any) -> TypeAdapter[Any]:
    return TypeAdapter(schema)


def _json(body: bytes | None, status: int, headers: dict[str, str]) -> Response:
    return Response(body, status, headers, media_type="application/json")


async def take_key(
    session: AsyncSession, model: type[K], scope: str, key: str, fingerprint: bytes
) -> K:
    """The answer that is kept under a key, or a new row, without a status, to keep one in."""
    new = insert(model).values(scope=scope, key=key, fingerprint=fingerprint)
    taken = new.on_conflict_do_nothing().returning(model)
    kept = select(model).where(model.scope == scope, model.key == key)
    row: K | None = None
    while row is None:
        # Neither finds a row if it was forgotten between the two: then the key is free again.
        row = await session.scalar(taken) or await session.scalar(kept)
    return row


async def forget_answers(
    database: Database, model: type[KeptAnswer], before: datetime, size: int = CHUNK
) -> int:
    """Remove the answers that were kept before this time, so many a transaction; returns how many.

    Their keys are free then: a request that is repeated later is done a second time.
    """

    async def batch(session: AsyncSession) -> int:
        oldest = (
            select(model.scope, model.key)
            .where(model.created_at < before)
            .order_by(model.created_at)
            .limit(size)
            .with_for_update(skip_locked=True)
            .cte()
        )
        matches = (model.scope == oldest.c.scope, model.key == oldest.c.key)
        result = await session.execute(delete(model).where(*matches))
        return cast("CursorResult[Any]", result).rowcount

    count = 0
    while removed := await retrying(database, batch):
        count += removed
    return count
