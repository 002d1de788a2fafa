"""Cancelled and disconnected requests neither keep connections nor report anything untrue."""

from asyncio import create_task
from asyncio.exceptions import CancelledError
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from tests.conformance.support.asgi import JSON, http_scope
from tests.conformance.support.cancellation import CancelAtAwait
from tests.conformance.support.notes_service import KINDS, NotesService


class RecordingClient:
    """An ASGI client that records the committed rows at the start of the response."""

    def __init__(self, notes: NotesService, kind: str) -> None:
        self.status: int | None = None
        self.stored: int | None = None
        self._notes = notes
        self._kind = kind
        self.number = next(notes.numbers)

    async def call(
        self, *, disconnects: bool = False, body: list[dict[str, Any]] | None = None
    ) -> None:
        """Send a POST request, without a body or with these messages as its body."""
        parts = iter(body or [{"type": "http.request", "body": b""}])
        scope = http_scope("POST", f"/kit/{self._kind}/{self.number}", JSON)

        async def receive() -> dict[str, Any]:
            return next(parts, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.stored = await self._notes.stored(self.number)
                if disconnects:
                    raise ConnectionResetError

        await self._notes.app(scope, receive, send)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("connected", [True, False], ids=["connected", "connecting"])
async def test_request_cancelled_at_any_await(
    notes: NotesService, kind: str, connected: bool
) -> None:
    for wait in count(1):
        if not connected:
            await notes.database.engine.dispose()
        client = RecordingClient(notes, kind)
        request = CancelAtAwait(client.call(), at=wait)
        with suppress(CancelledError):
            await create_task(request.run())
        await notes.assert_usable()
        assert await notes.stored(client.number) in {0, 2}
        # The response starts only after the commit.
        assert client.stored in {None, 2}
        if request.awaits < wait:
            # The shortest request has one statement, or BEGIN, two statements and COMMIT. The last
            # iteration completes without a cancellation.
            assert (wait > (1 if kind == "compiled" else 4), client.status) == (True, 201)
            break


@pytest.mark.parametrize("kind", KINDS)
async def test_commit_happens_before_response_is_sent(notes: NotesService, kind: str) -> None:
    client = RecordingClient(notes, kind)
    await client.call()
    assert (client.status, client.stored) == (201, 2)


@pytest.mark.parametrize("kind", KINDS)
async def test_client_disconnected_before_response_keeps_committed_rows(
    notes: NotesService, kind: str
) -> None:
    client = RecordingClient(notes, kind)
    with pytest.raises(ConnectionResetError):
        await client.call(disconnects=True)
    # The client never receives this response. It can repeat the request with its idempotency key.
    assert (client.status, await notes.stored(client.number)) == (201, 2)
    await notes.assert_usable()


async def test_client_disconnected_during_request_stores_nothing(notes: NotesService) -> None:
    parts = [{"type": "http.request", "body": b"[", "more_body": True}]
    client = RecordingClient(notes, "session")
    await client.call(body=parts)
    assert await notes.stored(client.number) == 0
    await notes.assert_usable()
