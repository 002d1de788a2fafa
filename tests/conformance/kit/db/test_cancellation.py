"""Who stops waiting, at whichever point, is told nothing that is not true, and keeps nothing."""

from asyncio import create_task
from asyncio.exceptions import CancelledError
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from tests.conformance.support.interruption import Interruption
from tests.conformance.support.notes import KINDS, Notes


class Caller:
    """A client at the other end of a connection, which sees each message as it is sent."""

    def __init__(self, notes: Notes, kind: str) -> None:
        self.status: int | None = None
        self.stored: int | None = None
        self._notes = notes
        self._kind = kind
        self.number = next(notes.numbers)

    async def call(
        self, *, hangs_up: bool = False, body: list[dict[str, Any]] | None = None
    ) -> None:
        """Post, with no body or in these parts."""
        parts = iter(body or [{"type": "http.request", "body": b""}])
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": f"/kit/{self._kind}/{self.number}",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }

        async def receive() -> dict[str, Any]:
            return next(parts, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.stored = await self._notes.stored(self.number)
                if hangs_up:
                    raise ConnectionResetError

        await self._notes.app(scope, receive, send)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("connected", [True, False], ids=["connected", "connecting"])
async def test_a_request_that_is_cancelled_wherever_it_waits(
    notes: Notes, kind: str, connected: bool
) -> None:
    for wait in count(1):
        if not connected:
            await notes.database.engine.dispose()
        caller = Caller(notes, kind)
        request = Interruption(caller.call(), at=wait)
        with suppress(CancelledError):
            await create_task(request.run())
        await notes.assert_well()
        assert await notes.stored(caller.number) in {0, 2}
        # Nothing is said before it is stored.
        assert caller.stored in {None, 2}
        if request.waits < wait:
            # One statement, or BEGIN, two and COMMIT, at least; then one that nothing happened to.
            assert (wait > (1 if kind == "hot" else 4), caller.status) == (True, 201)
            break


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_answered_is_stored_before_the_first_byte_leaves(
    notes: Notes, kind: str
) -> None:
    caller = Caller(notes, kind)
    await caller.call()
    assert (caller.status, caller.stored) == (201, 2)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_that_is_gone_when_the_answer_comes(notes: Notes, kind: str) -> None:
    caller = Caller(notes, kind)
    with pytest.raises(ConnectionResetError):
        await caller.call(hangs_up=True)
    # It was to hear of it, and never will: it learns it when it repeats the request with its key.
    assert (caller.status, await notes.stored(caller.number)) == (201, 2)
    await notes.assert_well()


async def test_a_client_that_goes_in_the_middle_of_its_request(notes: Notes) -> None:
    parts = [{"type": "http.request", "body": b"[", "more_body": True}]
    caller = Caller(notes, "session")
    await caller.call(body=parts)
    assert await notes.stored(caller.number) == 0
    await notes.assert_well()
