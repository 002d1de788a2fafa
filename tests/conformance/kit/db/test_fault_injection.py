"""Faults during a request: the response never claims more than was committed."""

from itertools import count

import pytest
from anyio import sleep

from tests.conformance.support.notes_service import KINDS, NotesService
from tests.conformance.support.tcp_proxy import Break

CANCEL = "SELECT pg_cancel_backend(pg_backend_pid())"
KILL = "SELECT pg_terminate_backend(pg_backend_pid())"
# Faults between the two statements of a note, with the expected status.
SERVER_FAULTS = {
    "statement timeout": (
        503,
        ["SET LOCAL statement_timeout = 20", "SELECT pg_sleep(5)"],
    ),
    "lock timeout": (503, ["SET LOCAL lock_timeout = 20", "LOCK TABLE kit_unique"]),
    "idle in transaction timeout": (
        503,
        ["SET LOCAL idle_in_transaction_session_timeout = 1", "SELECT 1"],
    ),
    "cancelled statement": (503, [CANCEL]),
    "terminated session": (503, [KILL]),
    "serialization failure": (503, ["DO $$ BEGIN RAISE 'lost' USING ERRCODE = '40001'; END $$"]),
    "full disk": (503, ["DO $$ BEGIN RAISE 'full' USING ERRCODE = '53100'; END $$"]),
    "failed commit": (409, ["INSERT INTO kit_unique VALUES (1), (1)"]),
    "cancelled commit": (503, [f"INSERT INTO kit_late VALUES ('{CANCEL}')"]),
    "session terminated during commit": (503, [f"INSERT INTO kit_late VALUES ('{KILL}')"]),
    "undefined table": (500, ["SELECT * FROM kit_nowhere"]),
}


@pytest.mark.parametrize("how", Break)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("connected", [True, False], ids=["connected", "connecting"])
async def test_connection_broken_at_any_message(
    notes: NotesService, how: Break, kind: str, connected: bool
) -> None:
    for message in count(1):
        if not connected:
            await notes.database.engine.dispose()
        notes.proxy.break_at(message, how)
        number = next(notes.numbers)
        response = await notes.client.post(f"/kit/{kind}/{number}")
        broke = notes.proxy.broke
        notes.proxy.break_at(0, how)
        assert response.status_code in {201, 503}
        await notes.assert_truthful(number, response)
        await notes.assert_usable()
        if not broke:
            # The shortest request has one statement, or BEGIN, two statements and COMMIT. The last
            # iteration completes without a fault.
            assert (message > (1 if kind == "compiled" else 4), response.status_code) == (True, 201)
            break


async def test_session_terminated_while_idle(notes: NotesService) -> None:
    await notes.assert_usable()
    # The connection is still open, so the pool considers it healthy.
    notes.proxy.send_fatal()
    await sleep(0.01)
    number = next(notes.numbers)
    response = await notes.client.post(f"/kit/session/{number}")
    assert response.status_code in {201, 503}
    await notes.assert_truthful(number, response)
    await notes.assert_usable()


@pytest.mark.parametrize("fault", SERVER_FAULTS)
async def test_fault_on_the_server_stores_nothing(notes: NotesService, fault: str) -> None:
    status, between = SERVER_FAULTS[fault]
    number = next(notes.numbers)
    async with notes.observer.transaction():
        await notes.observer.execute("LOCK TABLE kit_unique IN ROW SHARE MODE")
        response = await notes.client.post(f"/kit/session/{number}", json=between)
    assert response.status_code == status
    assert await notes.stored(number) == 0
    await notes.assert_truthful(number, response)
    await notes.assert_usable()
