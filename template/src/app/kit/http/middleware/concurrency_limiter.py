"""A FIFO concurrency limiter that is fair between resources.

A resource may take another slot while it holds fewer than `SHARE * free - 1` slots, where `free` is
the number of free slots. If a locked table blocks the requests of one resource, the other resources
still get slots. A resource that holds a slot never takes the last free one.
"""

from asyncio import AbstractEventLoop, CancelledError, Future, TimerHandle, get_running_loop
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from math import inf
from typing import NamedTuple

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from app.kit.http.asgi import READING

# One resource may hold about two thirds of all slots: 7 of 10, or 11 of 16.
SHARE = 2
_PARAMETER = "*"


class AcquireResult(Enum):
    """The result of waiting for a slot."""

    ACQUIRED = auto()
    TIMED_OUT = auto()
    DISCONNECTED = auto()


class _QueuedRequest(NamedTuple):
    future: Future[AcquireResult]
    deadline: float
    is_disconnected: Callable[[], bool]


class ConcurrencyLimiter:
    """A limited number of slots. Release each with `release`, for the resource that took it."""

    def __init__(self, concurrency_limit: int, wait_limit: float) -> None:
        self.free = concurrency_limit
        # Reserve one slot for resources that hold none, unless the limit is one or two slots.
        self._reserved = 1 if concurrency_limit > 2 else 0
        self.wait_limit = wait_limit
        # Number of requests rejected after wait_limit, since the start of the process.
        self.rejected = 0
        # Keyed by resource. Resources without slots or queued requests have no entry.
        self._used: dict[str, int] = {}
        self._queues: dict[str, deque[_QueuedRequest]] = {}
        self._timer: TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a slot."""
        # The copies are atomic: another thread reads the metrics.
        queues = [tuple(queue) for queue in tuple(self._queues.values())]
        return sum(not each.future.done() for queue in queues for each in queue)

    def try_acquire(self, resource: str = "") -> bool:
        """Take a slot if the resource may have one; return whether it did."""
        if resource in self._queues or not self._has_slot_for(resource):
            return False
        self._take(resource)
        return True

    async def acquire(
        self, is_disconnected: Callable[[], bool], resource: str = ""
    ) -> AcquireResult:
        """Take a slot, or wait for one. The caller holds a slot only if the result is `ACQUIRED`.

        `is_disconnected` is called when a slot is free. It returns whether the client has
        disconnected.
        """
        if self.try_acquire(resource):
            return AcquireResult.ACQUIRED
        loop = get_running_loop()
        future: Future[AcquireResult] = loop.create_future()
        deadline = loop.time() + self.wait_limit
        if not self._queues:
            self._start_timer(loop, deadline)
        queued = _QueuedRequest(future, deadline, is_disconnected)
        self._queues.setdefault(resource, deque()).append(queued)
        try:
            return await future
        except CancelledError:
            if not future.cancelled() and future.result() is AcquireResult.ACQUIRED:
                # The slot was assigned in the same iteration of the event loop: release it.
                self.release(resource)
            raise

    def release(self, resource: str = "") -> None:
        """Release a slot. The oldest queued request whose resource may have a slot gets it.

        The requests of one resource get slots in FIFO order.
        """
        self.free += 1
        self._used[resource] -= 1
        if not self._used[resource]:
            del self._used[resource]
        while self._queues and (next_resource := self._next_resource()) is not None:
            waiting = self._queues[next_resource].popleft()
            if waiting.is_disconnected():
                waiting.future.set_result(AcquireResult.DISCONNECTED)
            else:
                self._take(next_resource)
                waiting.future.set_result(AcquireResult.ACQUIRED)

    def _has_slot_for(self, resource: str) -> bool:
        return self._used.get(resource, 0) < SHARE * self.free - self._reserved

    def _take(self, resource: str) -> None:
        self.free -= 1
        self._used[resource] = self._used.get(resource, 0) + 1

    def _next_resource(self) -> str | None:
        """Return the resource whose request gets the next slot, or None."""
        # A plain loop, not `min` with a key: this runs for each request that waits.
        first, oldest = None, inf
        for resource, queue in tuple(self._queues.items()):
            while queue and queue[0].future.done():
                queue.popleft()
            if not queue:
                del self._queues[resource]
            elif queue[0].deadline < oldest and self._has_slot_for(resource):
                first, oldest = resource, queue[0].deadline
        return first

    def _start_timer(self, loop: AbstractEventLoop, deadline: float) -> None:
        # All requests have the same wait limit, so one timer for the oldest is enough.
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_at(deadline, self._reject_late, loop)

    def _reject_late(self, loop: AbstractEventLoop) -> None:
        now = loop.time()
        for resource, queue in tuple(self._queues.items()):
            while queue and (queue[0].future.done() or queue[0].deadline <= now):
                future = queue.popleft().future
                if not future.done():
                    future.set_result(AcquireResult.TIMED_OUT)
            if not queue:
                del self._queues[resource]
        if self._queues:
            self._start_timer(loop, min(queue[0].deadline for queue in self._queues.values()))


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


class Resources:
    """Finds the resource of a path: a collection, with all paths below it.

    For example, `/posts`, `/posts/feed`, `/posts/1` and `/posts/2/tags` are one resource.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self.routes = routes

    def name_of(self, path: str) -> str:
        """Return the resource of a path, or an empty string if no route has its first segment."""
        name = ""
        for part in filter(None, path.split("/")):
            longer = f"{name}/{part}"
            if longer not in self._prefixes:
                longer = f"{name}/{_PARAMETER}"
            if longer not in self._prefixes:
                break
            name = longer
            if self._prefixes[name]:
                break
        return name

    @cached_property
    def _prefixes(self) -> dict[str, bool]:
        """The prefixes of paths, and whether all longer paths belong to the same resource."""
        # Built at the first request, because routes may be added until then.
        prefixes: dict[str, bool] = {}
        for route in iter_route_contexts(self.routes):
            name, is_named = "", False
            # A path that a POST adds rows to, for example.
            is_collection = not (route.methods or set()) <= READING
            for part in filter(None, (route.path or "").split("/")):
                is_parameter = "{" in part
                if is_parameter and is_named:
                    is_collection = True
                    break
                is_named = is_named or not is_parameter
                name += f"/{_PARAMETER if is_parameter else part}"
                prefixes.setdefault(name, False)
            # A route without methods is a mount: all paths below it are one resource.
            if is_named and (is_collection or not route.methods):
                prefixes[name] = True
        return prefixes
