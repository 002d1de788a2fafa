"""The gate admits a limited number of requests in FIFO order, and never loses a slot."""

import asyncio
import sys
from collections.abc import Generator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kit.http.gate import Gate, Turn


def is_disconnected() -> bool:
    """Return False: the client stays connected."""
    return False


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "arrive", "finish", "finish", "go", "cancel", "pause"]),
        st.integers(0, 9),
    ),
    min_size=10,
    max_size=60,
)


@dataclass
class SimulatedRequest:
    """A request that may be queued, and that runs until `finished` is set."""

    number: int
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class RecordedGate:
    """A gate, and a record of the admitted requests."""

    gate: Gate
    admitted: list[int] = field(default_factory=list[int])
    in_progress: int = 0
    max_in_progress: int = 0

    async def run(self, request: SimulatedRequest) -> Turn:
        outcome = await self.gate.enter(request.disconnected.is_set)
        if outcome is Turn.CAME:
            self.admitted.append(request.number)
            self.in_progress += 1
            self.max_in_progress = max(self.max_in_progress, self.in_progress)
            try:
                await request.finished.wait()
            finally:
                self.in_progress -= 1
                self.gate.leave()
        return outcome


async def simulate(slots: int, steps: list[tuple[str, int]], *, without_pauses: bool) -> None:
    """Simulate requests according to the steps, and check the gate's invariants."""
    recorded = RecordedGate(Gate(slots, wait_limit=5))
    requests: list[SimulatedRequest] = []
    tasks: list[asyncio.Task[Turn]] = []
    for step, which in steps:
        if step == "arrive":
            requests.append(SimulatedRequest(len(requests)))
            tasks.append(asyncio.create_task(recorded.run(requests[-1])))
        elif step == "pause":
            await asyncio.sleep(0)
        elif requests and step == "finish":
            requests[which % len(requests)].finished.set()
        elif requests and step == "go":
            requests[which % len(requests)].disconnected.set()
        elif requests:
            tasks[which % len(requests)].cancel()
        for _ in range(0 if without_pauses else 4):
            await asyncio.sleep(0)
    for request in requests:
        request.finished.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert recorded.max_in_progress <= slots
    # Without pauses, two requests admitted at the same time may be recorded in either order.
    assert without_pauses or recorded.admitted == sorted(recorded.admitted)
    assert outcomes.count(Turn.TOO_LATE) == 0
    assert (recorded.in_progress, recorded.gate.free) == (0, slots)


@given(slots=st.integers(1, 3), steps=STEPS, without_pauses=st.booleans())
@settings(deadline=None)
def test_no_slot_is_lost_or_doubled_and_order_is_fifo(
    slots: int, steps: list[tuple[str, int]], without_pauses: bool
) -> None:
    asyncio.run(simulate(slots, steps, without_pauses=without_pauses))


async def test_timeout_does_not_block_the_next_request() -> None:
    gate = Gate(1, wait_limit=0.02)
    assert await gate.enter(is_disconnected) is Turn.CAME
    late = [gate.enter(is_disconnected) for _ in range(10)]
    assert await asyncio.gather(*late) == [Turn.TOO_LATE] * 10
    gate.leave()
    assert await gate.enter(is_disconnected) is Turn.CAME


async def test_slot_of_a_cancelled_request_goes_to_the_next() -> None:
    gate = Gate(1, wait_limit=60)
    await gate.enter(is_disconnected)
    first, second = (asyncio.create_task(gate.enter(is_disconnected)) for _ in range(2))
    await asyncio.sleep(0)
    gate.leave()
    first.cancel()
    assert await second is Turn.CAME


async def test_disconnected_request_takes_no_slot() -> None:
    gate = Gate(1, wait_limit=60)
    await gate.enter(is_disconnected)
    disconnected, connected = (
        asyncio.create_task(gate.enter(is_gone)) for is_gone in (lambda: True, is_disconnected)
    )
    await asyncio.sleep(0)
    gate.leave()
    assert (await disconnected, await connected) == (Turn.LEFT, Turn.CAME)


async def test_cancelled_request_does_not_block_others() -> None:
    gate = Gate(1, wait_limit=0.02)
    await gate.enter(is_disconnected)
    disconnected, late = (asyncio.create_task(gate.enter(is_disconnected)) for _ in range(2))
    await asyncio.sleep(0)
    disconnected.cancel()
    await asyncio.sleep(0)
    assert gate.waiting == 1
    assert await late is Turn.TOO_LATE
    gate.leave()
    assert gate.free == 1


@pytest.fixture
def frequent_thread_switches() -> Generator[None]:
    """Make threads switch as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("frequent_thread_switches")
async def test_queue_can_be_counted_from_another_thread() -> None:
    gate = Gate(1, wait_limit=60)
    await gate.enter(is_disconnected)
    queue = [asyncio.create_task(gate.enter(is_disconnected)) for _ in range(500)]
    await asyncio.sleep(0)

    def count() -> list[int]:
        return [gate.waiting for _ in range(200)]

    counting = asyncio.create_task(asyncio.to_thread(count))
    while not counting.done():
        queue.append(asyncio.create_task(gate.enter(is_disconnected)))
        gate.leave()
        await asyncio.sleep(0)
    assert len(await counting) == 200
    for each in queue:
        each.cancel()


@pytest.mark.parametrize(
    ("slots", "taken"),
    [
        (1, [1]),
        (2, [2]),
        (3, [2, 1]),
        (4, [3, 1]),
        (5, [3, 1, 1]),
        (8, [5, 2, 1]),
        (10, [7, 2, 1]),
        (16, [11, 3, 1, 1]),
        (30, [20, 7, 2, 1]),
    ],
)
def test_slots_of_resources_that_are_blocked_in_succession(slots: int, taken: list[int]) -> None:
    gate = Gate(slots, wait_limit=60)

    assert [
        sum(gate.enter_now(f"/{resource}") for _ in range(slots)) for resource in range(len(taken))
    ] == taken


@given(
    slots=st.integers(3, 12),
    steps=st.lists(
        st.tuples(st.sampled_from(["enter", "enter", "enter", "leave"]), st.sampled_from("abc")),
        min_size=20,
        max_size=60,
    ),
)
def test_last_slot_goes_only_to_a_resource_without_slots(
    slots: int, steps: list[tuple[str, str]]
) -> None:
    gate = Gate(slots, wait_limit=60)
    slots_by_resource = dict.fromkeys("abc", 0)
    for step, resource in steps:
        if step == "enter":
            free = gate.free
            is_admitted = gate.enter_now(resource)
            assert is_admitted or slots_by_resource[resource] or not free
            assert not (is_admitted and slots_by_resource[resource] and free == 1)
            slots_by_resource[resource] += is_admitted
        elif slots_by_resource[resource]:
            gate.leave(resource)
            slots_by_resource[resource] -= 1
