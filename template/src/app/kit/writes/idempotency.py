"""Idempotent requests with the header `Idempotency-Key`.

After a dropped connection or a 5xx response, a client does not know whether its request was
executed. It can retry with the same key, and gets the response of the first request, with the
header `Idempotent-Replayed: true`.

Only successful responses are stored. After an error, the key is free. A retry that arrives while
the first request is running waits for it, and gets status 503 after `lock_timeout`.

The header follows draft-ietf-httpapi-idempotency-key-header, where a key is a quoted string. The
quotes are optional, and part of the key: `"a"` and `a` are different keys.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request, Response
from fastapi.routing import serialize_response
from fastapi.utils import is_body_allowed_for_status_code
from sqlalchemy import SmallInteger, String, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import Base, utc_now
from app.kit.db.session import Database
from app.kit.errors.problems import FieldProblem, Invalid
from app.kit.http.dependencies import DatabaseDep
from app.kit.http.validation.fast_endpoint import DUMP_OPTIONS
from app.kit.writes.bulk import CHUNK_SIZE, delete_in_batches
from app.kit.writes.transactions import run_with_retry

HEADER, REPLAYED = "Idempotency-Key", "Idempotent-Replayed"
MAX_KEY_LENGTH = 255

Key = Annotated[
    str | None,
    Header(
        alias=HEADER,
        pattern=r"^[!-~]+$",
        max_length=MAX_KEY_LENGTH,
        description="A unique key of the request, such as a UUID. A retry with the same key within "
        "a day returns the first response, and does not run again",
    ),
]
Work = Callable[[AsyncSession], Awaitable[object]]


class IdempotencyRecord(Base):
    """The response to a request with an idempotency key. A service declares one subclass."""

    __abstract__ = True

    # Keys are unique per scope: the operation, and the client if clients are authenticated.
    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(MAX_KEY_LENGTH), primary_key=True)
    fingerprint: Mapped[bytes]
    # The response, set in the transaction that inserts the row: a committed row has a response.
    status: Mapped[int | None] = mapped_column(SmallInteger)
    # Values of a repeated header, such as Set-Cookie, are separated by line breaks.
    headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(
        default=utc_now, server_default=func.now(), index=True
    )


K = TypeVar("K", bound=IdempotencyRecord)


class IdempotencyKeyMismatch(Invalid):
    """The idempotency key was used for another request."""


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """Runs the work of a request at most once per idempotency key."""

    request: Request
    response: Response
    database: Database
    model: type[IdempotencyRecord]
    scope: str
    key: str | None

    async def run(self, work: Work) -> Response:
        """Run `work` with `run_with_retry`, or return the stored response for the idempotency key.

        The result of `work` is serialized with the `response_model` before the commit. If it is
        not valid, the transaction rolls back.
        """
        fingerprint = b"" if self.key is None else await _fingerprint(self.request)
        return await run_with_retry(self.database, partial(self._respond, work, fingerprint))

    async def _respond(self, work: Work, fingerprint: bytes, session: AsyncSession) -> Response:
        record = None
        if self.key is not None:
            record = await claim_key(session, self.model, self.scope, self.key, fingerprint)
            if record.fingerprint != fingerprint:
                message = "was used for another request"
                problem = FieldProblem(field=f"header.{HEADER}", message=message)
                raise IdempotencyKeyMismatch(f"The idempotency key {message}.", problem)
            if record.status is not None:
                replayed = {**(record.headers or {}), REPLAYED: "true"}
                return _json_response(record.body, record.status, replayed)
        route, sent = self.request.scope["route"], self.response.headers
        status, result = route.status_code or 200, await work(session)
        body = await _serialize(route, result) if is_body_allowed_for_status_code(status) else b""
        headers = {name: "\n".join(sent.getlist(name)) for name in sent}
        if record:
            record.status, record.headers, record.body = status, headers, body
        return _json_response(body, status, headers)


async def operation_scope(request: Request) -> str:
    """Return the default scope of a key: the operation and the authenticated user."""
    name: str = request.scope["route"].name
    user = request.scope.get("user")
    return f"{name} {user.identity}" if user and user.is_authenticated else name


def idempotent(
    model: type[IdempotencyRecord], scope: Callable[..., Awaitable[str]] = operation_scope
) -> Any:
    """Return a dependency that provides `IdempotentRequest`, for use in `Annotated`.

    With authentication, the scope must contain the client: otherwise a client could read another
    client's response. `operation_scope` includes Starlette's `request.user`. If no middleware sets
    it, pass a dependency that returns `operation_scope(request)` together with the client's id. The
    same applies to a tenant that a header or the host name selects: the path is always compared.
    """

    async def build(
        request: Request,
        response: Response,
        database: DatabaseDep,
        key_scope: Annotated[str, Depends(scope)],
        key: Key = None,
    ) -> IdempotentRequest:
        return IdempotentRequest(request, response, database, model, key_scope, key)

    return Depends(build)


async def _fingerprint(request: Request) -> bytes:
    # Hash the body as sent, not the parsed model: a release that adds a default value must not
    # change the fingerprint. The order of names in JSON does not matter.
    body = await request.body()
    try:
        content = json.loads(body) if body else None
    except (ValueError, RecursionError):  # not JSON, or nested too deeply
        content = sha256(body).hexdigest()
    parts = [request.method, request.url.path, request.url.query, content]
    return sha256(json.dumps(parts, sort_keys=True).encode()).digest()


async def _serialize(route: Any, result: object) -> bytes:
    options = {name: getattr(route, f"response_model_{name}") for name in DUMP_OPTIONS}
    body = await serialize_response(
        field=route.response_field, response_content=result, dump_json=True, **options
    )
    # Without a `response_model`, the result is not serialized yet.
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _json_response(body: bytes | None, status: int, headers: Mapping[str, str]) -> Response:
    response = Response(body, status, media_type="application/json" if body else None)
    for name, values in headers.items():
        del response.headers[name]
        for value in values.split("\n"):
            response.headers.append(name, value)
    return response


async def claim_key(
    session: AsyncSession, model: type[K], scope: str, key: str, fingerprint: bytes
) -> K:
    """Return the record of an idempotency key, or insert a new one whose `status` is None."""
    new = insert(model).values(scope=scope, key=key, fingerprint=fingerprint)
    inserted = new.on_conflict_do_nothing().returning(model)
    existing = select(model).where(model.scope == scope, model.key == key)
    row: K | None = None
    while row is None:
        # Both return None if `delete_expired` deletes the row between them. Then insert again.
        row = await session.scalar(inserted) or await session.scalar(existing)
    return row


async def delete_expired(
    database: Database, model: type[IdempotencyRecord], before: datetime, size: int = CHUNK_SIZE
) -> int:
    """Delete idempotency records created before this time, in batches. Return their number.

    A request that is repeated after that runs again.
    """
    return await delete_in_batches(database, model, model.created_at < before, size=size)
