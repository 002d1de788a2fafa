"""Whatever breaks at whichever point of a request, no answer says more than is true."""

from itertools import count

import pytest
from anyio import sleep

from tests.conformance.support.line import Break
from tests.conformance.support.notes import KINDS, Notes

CANCEL = "SELECT pg_cancel_backend(pg_backend_pid())"
KILL = "SELECT pg_terminate_backend(pg_backend_pid())"
# Statements between the two of a note, and the status that comes of them.
ON_THE_SERVER = {
    "a statement that takes too long": (
        503,
        ["SET LOCAL statement_timeout = 20", "SELECT pg_sleep(5)"],
    ),
    "a lock that somebody holds": (503, ["SET LOCAL lock_timeout = 20", "LOCK TABLE kit_unique"]),
    "a transaction that lies idle": (
        503,
        ["SET LOCAL idle_in_transaction_session_timeout = 1", "SELECT 1"],
    ),
    "a statement that is cancelled": (503, [CANCEL]),
    "a session that is ended": (503, [KILL]),
    "a race that is lost": (503, ["DO $$ BEGIN RAISE 'lost' USING ERRCODE = '40001'; END $$"]),
    "a disk that is full": (503, ["DO $$ BEGIN RAISE 'full' USING ERRCODE = '53100'; END $$"]),
    "a commit that is refused": (409, ["INSERT INTO kit_unique VALUES (1), (1)"]),
    "a commit that is cancelled": (503, [f"INSERT INTO kit_late VALUES ('{CANCEL}')"]),
    "a session that is ended in its commit": (503, [f"INSERT INTO kit_late VALUES ('{KILL}')"]),
    "a bug": (500, ["SELECT * FROM kit_nowhere"]),
}


@pytest.mark.parametrize("how", Break)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("connected", [True, False], ids=["connected", "connecting"])
async def test_a_line_that_breaks_at_any_message(
    notes: Notes, how: Break, kind: str, connected: bool
) -> None:
    for message in count(1):
        if not connected:
            await notes.database.engine.dispose()
        notes.line.break_at(message, how)
        number = next(notes.numbers)
        answer = await notes.client.post(f"/kit/{kind}/{number}")
        came_so_far = notes.line.broke
        notes.line.break_at(0, how)
        assert answer.status_code in {201, 503}
        await notes.assert_told(number, answer)
        await notes.assert_well()
        if not came_so_far:
            # One statement, or BEGIN, two and COMMIT, at least; then one that nothing happened to.
            assert (message > (1 if kind == "hot" else 4), answer.status_code) == (True, 201)
            break


async def test_a_session_that_is_ended_while_nobody_uses_it(notes: Notes) -> None:
    await notes.assert_well()
    # It is not closed yet, so that the pool takes it for a good one.
    notes.line.say_goodbye()
    await sleep(0.01)
    number = next(notes.numbers)
    answer = await notes.client.post(f"/kit/session/{number}")
    assert answer.status_code in {201, 503}
    await notes.assert_told(number, answer)
    await notes.assert_well()


@pytest.mark.parametrize("fault", ON_THE_SERVER)
async def test_a_fault_on_the_server_leaves_no_trace(notes: Notes, fault: str) -> None:
    status, between = ON_THE_SERVER[fault]
    number = next(notes.numbers)
    async with notes.onlooker.transaction():
        await notes.onlooker.execute("LOCK TABLE kit_unique IN ROW SHARE MODE")
        answer = await notes.client.post(f"/kit/session/{number}", json=between)
    assert answer.status_code == status
    assert await notes.stored(number) == 0
    await notes.assert_told(number, answer)
    await notes.assert_well()
