"""Request limits: size of headers and body, concurrency, and duration.

A request takes a slot only after its body is complete, so slow clients hold none. A queued request
holds no database connection. A request holds its slot until the response ends, because a stream
reads from the database until then.
"""

from asyncio import sleep, timeout
from collections.abc import Callable
from http import HTTPStatus
from typing import ClassVar

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.kit.errors.handlers import response_from_problem
from app.kit.errors.problems import CommitOutcomeUnknown, Problem, Unavailable
from app.kit.http.asgi import READING, header, is_health_path
from app.kit.http.middleware.concurrency_limiter import ConcurrencyLimiter, Slot
from app.kit.http.settings import HttpSettings

# Bytes of names, values and separators. uvicorn without httptools has the same limit.
HEADERS_LIMIT = 65_536
_SEPARATORS = len(": \r\n")
# Key in the ASGI scope of a response with server-sent events. The server ends it at shutdown.
EVENT_STREAM = "app.event_stream"


class RequestTooLarge(Problem):
    """The body of the request is too large."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class HeadersTooLarge(Problem):
    """The headers of the request are too large."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    headers: ClassVar[dict[str, str]] = {"Connection": "close"}

    def __init__(self) -> None:
        super().__init__(f"The headers of a request are limited to {HEADERS_LIMIT} bytes.")


class RequestTimeout(Problem):
    """The request did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    # Close the connection, or the server would wait for the rest of the body.
    headers: ClassVar[dict[str, str]] = {"Connection": "close"}


class RequestLimitsMiddleware:
    """Limits concurrent requests; rejects requests that are too large or take too long.

    Health routes need no slot, so probes never wait for clients. A stream of server-sent events
    releases its slot when it starts: it is endless, and waits most of the time.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: HttpSettings,
        concurrency_limit: int,
        resource_of: Callable[[Scope], str] = lambda _: "",
    ) -> None:
        self.app = app
        self.settings = settings
        self.resource_of = resource_of
        self.limiter = ConcurrencyLimiter(concurrency_limit, settings.wait_limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. Other scopes than HTTP pass through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif problem := await self._handle(scope, receive, send):
            await response_from_problem(problem)(scope, receive, send)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> Problem | None:
        """Call the application. Return a problem if the request is rejected or cancelled."""
        size = sum(len(name) + len(value) + _SEPARATORS for name, value in scope["headers"])
        if size > HEADERS_LIMIT:
            return HeadersTooLarge()
        body: bytes | None = None
        limit, slot = timeout(self.settings.time_limit), Slot(self.limiter)

        async def send_in_time(message: Message) -> None:
            if message["type"] == "http.response.start":
                if limit.expired():
                    # The time is over: let the cancellation happen here, before anything is sent.
                    await sleep(0)
                else:
                    limit.reschedule(None)
                    if header(message, b"content-type").startswith("text/event-stream"):
                        slot.release()
                        scope[EVENT_STREAM] = True
            await send(message)

        try:
            async with limit:
                try:
                    body = await _body(scope, receive, self.settings.body_limit)
                except RequestTooLarge as problem:
                    return problem
                except ClientDisconnect:
                    return None
                return await self._run(slot, scope, body, receive, send_in_time)
        except TimeoutError:
            if not limit.expired():
                raise
        if body is None:
            return RequestTimeout("The request did not arrive in time.")
        message = "The request took too long and was cancelled"
        if scope["method"] in READING or slot.is_queued:
            return Unavailable(f"{message}. Try again in a moment.")
        return CommitOutcomeUnknown(message)

    async def _run(
        self, slot: Slot, scope: Scope, body: bytes, receive: Receive, send: Send
    ) -> Problem | None:
        """Call the application with a slot. Return a problem if all slots stay in use."""
        replay = replayed(body, receive)
        if is_health_path(scope):
            await self.app(scope, replay, send)
            return None
        resource = self.resource_of(scope)
        was_queued = not self.limiter.try_acquire(resource)
        if was_queued:
            # This tries again, and then waits.
            slot.is_queued = True
            if not await self.limiter.acquire(resource):
                return Unavailable("The service is busy. Try again in a moment.")
            slot.is_queued = False
        slot.resource = resource
        try:
            if not (was_queued and _is_disconnected(receive)):
                await self.app(scope, replay, send)
        finally:
            slot.release()
        return None


async def _body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Return the whole body. Raises RequestTooLarge and ClientDisconnect."""
    announced = header(scope, b"content-length")
    size = int(announced) if announced.isdecimal() else 0
    parts, received, more = list[bytes](), 0, True
    while more and size <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
        received += len(parts[-1])
        size = max(size, received)
    if size > limit:
        raise RequestTooLarge(f"The body of a request is limited to {limit} bytes.")
    return b"".join(parts)


def _is_disconnected(receive: Receive) -> bool:
    """Return whether the client has disconnected. After the body, no other message can arrive."""
    # Poll once instead of awaiting: a task that waits for the message would make a small request
    # take a third longer.
    receiving = receive().__await__()
    try:
        next(receiving)
    except StopIteration as received:
        return bool(received.value["type"] == "http.disconnect")
    receiving.close()
    return False


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a function that receives the complete body, and then later messages."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return whole.pop() if whole else await receive()

    return replay
