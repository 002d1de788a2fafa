"""A FIFO concurrency limiter that is fair between resources.

A resource may take another slot while it holds fewer than `SLOTS_PER_FREE_SLOT * free - 1` slots,
where `free` is the number of free slots. If a locked table blocks the requests of one resource, the
other resources still get slots. A resource that holds a slot never takes the last free one.
"""

from asyncio import CancelledError, Future, TimerHandle, get_running_loop
from collections import defaultdict, deque
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

# One resource may hold about two thirds of all slots: 7 of 10, or 11 of 16.
SLOTS_PER_FREE_SLOT = 2


class _QueuedRequest(NamedTuple):
    # The result is whether the request got a slot.
    future: Future[bool]
    deadline: float


class ConcurrencyLimiter:
    """A limited number of slots. Release each with `release`, for the resource that took it."""

    def __init__(self, concurrency_limit: int, wait_limit: float) -> None:
        self.free = concurrency_limit
        # Reserve one slot for resources that hold none, unless the limit is one or two slots.
        self._reserved = 1 if concurrency_limit > 2 else 0
        self.wait_limit = wait_limit
        # Number of requests rejected after wait_limit, since the start of the process.
        self.rejected = 0
        # Keyed by resource. Bounded: there is at most one resource per route path.
        self._used = defaultdict[str, int](int)
        self._queues = defaultdict[str, deque[_QueuedRequest]](deque)
        self._timer: TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a slot."""
        # The copies are atomic: another thread reads the metrics.
        queues = [tuple(queue) for queue in tuple(self._queues.values())]
        return sum(not each.future.done() for queue in queues for each in queue)

    def try_acquire(self, resource: str = "") -> bool:
        """Take a slot if the resource may have one; return whether it did."""
        # This overtakes no request: `release` gives a slot to each queued one that may have it.
        if not self._has_slot_for(resource):
            return False
        self._take(resource)
        return True

    async def acquire(self, resource: str = "") -> bool:
        """Take a slot, or wait for one. Return False if there was none in time."""
        if self.try_acquire(resource):
            return True
        loop = get_running_loop()
        queued = _QueuedRequest(loop.create_future(), loop.time() + self.wait_limit)
        self._queues[resource].append(queued)
        if self._timer is None:
            # All requests have the same wait limit, so one timer for the oldest is enough.
            self._timer = loop.call_at(queued.deadline, self._reject_late)
        try:
            return await queued.future
        except CancelledError:
            if not queued.future.cancelled() and queued.future.result():
                # The slot was assigned in the same iteration of the event loop: release it.
                self.release(resource)
            raise

    def release(self, resource: str = "") -> None:
        """Release a slot. The oldest queued request whose resource may have a slot gets it.

        The requests of one resource get slots in FIFO order.
        """
        self.free += 1
        self._used[resource] -= 1
        while (next_resource := self._next_resource()) is not None:
            self._take(next_resource)
            self._queues[next_resource].popleft().future.set_result(True)

    def _has_slot_for(self, resource: str) -> bool:
        return self._used[resource] < SLOTS_PER_FREE_SLOT * self.free - self._reserved

    def _take(self, resource: str) -> None:
        self.free -= 1
        self._used[resource] += 1

    def _next_resource(self) -> str | None:
        """Return the resource whose request gets the next slot, or None."""
        # A plain loop, not `min` with a key: this runs for each request that waits.
        first, oldest = None, inf
        for resource, queue in self._queues.items():
            while queue and queue[0].future.done():
                queue.popleft()
            if queue and queue[0].deadline < oldest and self._has_slot_for(resource):
                first, oldest = resource, queue[0].deadline
        return first

    def _reject_late(self) -> None:
        loop = get_running_loop()
        for queue in self._queues.values():
            while queue and (queue[0].future.done() or queue[0].deadline <= loop.time()):
                if not (future := queue.popleft().future).done():
                    self.rejected += 1
                    future.set_result(False)
        deadlines = [queue[0].deadline for queue in self._queues.values() if queue]
        self._timer = loop.call_at(min(deadlines), self._reject_late) if deadlines else None


@dataclass(slots=True)
class Slot:
    """The slot of a request. Not in the ASGI scope, which mounted applications share."""

    limiter: ConcurrencyLimiter
    is_queued: bool = False
    # None if the request holds no slot.
    resource: str | None = None

    def release(self) -> None:
        """Release the slot, unless it is released already."""
        if self.resource is not None:
            self.limiter.release(self.resource)
            self.resource = None
