"""The limiter admits a limited number of requests in FIFO order, and never loses a slot."""

import asyncio
import sys
from collections.abc import Generator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kit.http.middleware.concurrency_limiter import ConcurrencyLimiter

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "arrive", "finish", "finish", "cancel", "pause"]),
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


@dataclass
class RecordedGate:
    """A limiter, and a record of the admitted requests."""

    limiter: ConcurrencyLimiter
    admitted: list[int] = field(default_factory=list[int])
    in_progress: int = 0
    max_in_progress: int = 0

    async def run(self, request: SimulatedRequest) -> bool:
        is_admitted = await self.limiter.acquire()
        if is_admitted:
            self.admitted.append(request.number)
            self.in_progress += 1
            self.max_in_progress = max(self.max_in_progress, self.in_progress)
            try:
                await request.finished.wait()
            finally:
                self.in_progress -= 1
                self.limiter.release()
        return is_admitted


async def simulate(slots: int, steps: list[tuple[str, int]], *, without_pauses: bool) -> None:
    """Simulate requests according to the steps, and check the limiter's invariants."""
    recorded = RecordedGate(ConcurrencyLimiter(slots, wait_limit=5))
    requests: list[SimulatedRequest] = []
    tasks: list[asyncio.Task[bool]] = []
    for step, which in steps:
        if step == "arrive":
            requests.append(SimulatedRequest(len(requests)))
            tasks.append(asyncio.create_task(recorded.run(requests[-1])))
        elif step == "pause":
            await asyncio.sleep(0)
        elif requests and step == "finish":
            requests[which % len(requests)].finished.set()
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
    assert outcomes.count(False) == 0
    assert (recorded.in_progress, recorded.limiter.free) == (0, slots)


@given(slots=st.integers(1, 3), steps=STEPS, without_pauses=st.booleans())
@settings(deadline=None)
def test_no_slot_is_lost_or_doubled_and_order_is_fifo(
    slots: int, steps: list[tuple[str, int]], without_pauses: bool
) -> None:
    asyncio.run(simulate(slots, steps, without_pauses=without_pauses))


async def test_timeout_does_not_block_the_next_request() -> None:
    limiter = ConcurrencyLimiter(1, wait_limit=0.02)
    assert await limiter.acquire()
    late = [limiter.acquire() for _ in range(10)]
    assert await asyncio.gather(*late) == [False] * 10
    assert limiter.rejected == 10
    limiter.release()
    assert await limiter.acquire()


async def test_slot_of_a_cancelled_request_goes_to_the_next() -> None:
    limiter = ConcurrencyLimiter(1, wait_limit=60)
    await limiter.acquire()
    first, second = (asyncio.create_task(limiter.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    limiter.release()
    first.cancel()
    assert await second


async def test_cancelled_request_does_not_block_others() -> None:
    limiter = ConcurrencyLimiter(1, wait_limit=0.02)
    await limiter.acquire()
    disconnected, late = (asyncio.create_task(limiter.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    disconnected.cancel()
    await asyncio.sleep(0)
    assert limiter.waiting == 1
    assert not await late
    limiter.release()
    assert limiter.free == 1


@pytest.fixture
def frequent_thread_switches() -> Generator[None]:
    """Make threads switch as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("frequent_thread_switches")
async def test_queue_can_be_counted_from_another_thread() -> None:
    limiter = ConcurrencyLimiter(1, wait_limit=60)
    await limiter.acquire()
    queue = [asyncio.create_task(limiter.acquire()) for _ in range(500)]
    await asyncio.sleep(0)

    def count() -> list[int]:
        return [limiter.waiting for _ in range(200)]

    counting = asyncio.create_task(asyncio.to_thread(count))
    while not counting.done():
        queue.append(asyncio.create_task(limiter.acquire()))
        limiter.release()
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
    limiter = ConcurrencyLimiter(slots, wait_limit=60)

    assert [
        sum(limiter.try_acquire(f"/{resource}") for _ in range(slots))
        for resource in range(len(taken))
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
    limiter = ConcurrencyLimiter(slots, wait_limit=60)
    slots_by_resource = dict.fromkeys("abc", 0)
    for step, resource in steps:
        if step == "enter":
            free = limiter.free
            is_admitted = limiter.try_acquire(resource)
            assert is_admitted or slots_by_resource[resource] or not free
            assert not (is_admitted and slots_by_resource[resource] and free == 1)
            slots_by_resource[resource] += is_admitted
        elif slots_by_resource[resource]:
            limiter.release(resource)
            slots_by_resource[resource] -= 1
