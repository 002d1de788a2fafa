"""A gate lets so many in, in the order of arrival, and loses no place whatever happens."""

import asyncio
import sys
from collections.abc import Generator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kit.http.gate import Gate, Turn


def stays() -> bool:
    """One who waits for as long as it takes."""
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
class Visitor:
    """Somebody who comes, perhaps waits, and is inside until finished."""

    number: int
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class House:
    """A gate, and who came in through it."""

    gate: Gate
    entered: list[int] = field(default_factory=list[int])
    inside: int = 0
    most: int = 0

    async def visit(self, visitor: Visitor) -> Turn:
        turn = await self.gate.enter(visitor.gone.is_set)
        if turn is Turn.CAME:
            self.entered.append(visitor.number)
            self.inside += 1
            self.most = max(self.most, self.inside)
            try:
                await visitor.finished.wait()
            finally:
                self.inside -= 1
                self.gate.leave()
        return turn


async def follow(places: int, steps: list[tuple[str, int]], *, hurried: bool) -> None:
    """Let visitors come and go as the steps say, and compare."""
    house = House(Gate(places, wait_limit=5))
    visitors: list[Visitor] = []
    visits: list[asyncio.Task[Turn]] = []
    for step, which in steps:
        if step == "arrive":
            visitors.append(Visitor(len(visitors)))
            visits.append(asyncio.create_task(house.visit(visitors[-1])))
        elif step == "pause":
            await asyncio.sleep(0)
        elif visitors and step == "finish":
            visitors[which % len(visitors)].finished.set()
        elif visitors and step == "go":
            visitors[which % len(visitors)].gone.set()
        elif visitors:
            visits[which % len(visitors)].cancel()
        for _ in range(0 if hurried else 4):
            await asyncio.sleep(0)
    for visitor in visitors:
        visitor.finished.set()
    turns = await asyncio.gather(*visits, return_exceptions=True)
    assert house.most <= places
    # In a hurry, two who come in at the same time may say so in either order.
    assert hurried or house.entered == sorted(house.entered)
    assert turns.count(Turn.TOO_LATE) == 0
    assert (house.inside, house.gate.free) == (0, places)


@given(places=st.integers(1, 3), steps=STEPS, hurried=st.booleans())
@settings(deadline=None)
def test_no_place_is_lost_or_doubled_and_nobody_is_overtaken(
    places: int, steps: list[tuple[str, int]], hurried: bool
) -> None:
    asyncio.run(follow(places, steps, hurried=hurried))


async def test_who_has_waited_for_too_long_is_told_and_the_next_is_not_held_up() -> None:
    gate = Gate(1, wait_limit=0.02)
    assert await gate.enter(stays) is Turn.CAME
    late = [gate.enter(stays) for _ in range(10)]
    assert await asyncio.gather(*late) == [Turn.TOO_LATE] * 10
    gate.leave()
    assert await gate.enter(stays) is Turn.CAME


async def test_a_place_that_comes_with_the_cancellation_goes_to_the_next() -> None:
    gate = Gate(1, wait_limit=60)
    await gate.enter(stays)
    first, second = (asyncio.create_task(gate.enter(stays)) for _ in range(2))
    await asyncio.sleep(0)
    gate.leave()
    first.cancel()
    assert await second is Turn.CAME


async def test_who_left_before_the_turn_came_takes_no_place() -> None:
    gate = Gate(1, wait_limit=60)
    await gate.enter(stays)
    gone, next_one = (
        asyncio.create_task(gate.enter(has_left)) for has_left in (lambda: True, stays)
    )
    await asyncio.sleep(0)
    gate.leave()
    assert (await gone, await next_one) == (Turn.LEFT, Turn.CAME)


async def test_who_is_cancelled_is_in_the_way_of_nobody() -> None:
    gate = Gate(1, wait_limit=0.02)
    await gate.enter(stays)
    gone, late = (asyncio.create_task(gate.enter(stays)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    assert gate.waiting == 1
    assert await late is Turn.TOO_LATE
    gate.leave()
    assert gate.free == 1


@pytest.fixture
def hasty() -> Generator[None]:
    """Threads that take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty")
async def test_the_line_can_be_counted_from_another_thread_while_it_moves() -> None:
    gate = Gate(1, wait_limit=60)
    await gate.enter(stays)
    line = [asyncio.create_task(gate.enter(stays)) for _ in range(500)]
    await asyncio.sleep(0)

    def count() -> list[int]:
        return [gate.waiting for _ in range(200)]

    counting = asyncio.create_task(asyncio.to_thread(count))
    while not counting.done():
        line.append(asyncio.create_task(gate.enter(stays)))
        gate.leave()
        await asyncio.sleep(0)
    assert len(await counting) == 200
    for each in line:
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
def test_slots_of_resources_that_are_blocked_one_after_another(
    slots: int, taken: list[int]
) -> None:
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
def test_last_slot_goes_only_to_resource_that_holds_none(
    slots: int, steps: list[tuple[str, str]]
) -> None:
    gate = Gate(slots, wait_limit=60)
    held = dict.fromkeys("abc", 0)
    for step, resource in steps:
        if step == "enter":
            free = gate.free
            is_admitted = gate.enter_now(resource)
            assert is_admitted or held[resource] or not free
            assert not (is_admitted and held[resource] and free == 1)
            held[resource] += is_admitted
        elif held[resource]:
            gate.leave(resource)
            held[resource] -= 1
