"""Cancelling a piece of work at each point where it waits."""

from asyncio import current_task
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any


class Interruption:
    """Work whose task is cancelled the n-th time it waits for anything."""

    def __init__(self, work: Coroutine[Any, Any, None], at: int) -> None:
        self.waits = 0
        self._work = work
        self._at = at

    async def run(self) -> None:
        """Do the work, for a task of its own."""
        await self

    def __await__(self) -> Generator[Any, Any, None]:
        """Pass on what the work waits for, and what comes of it."""
        steps = self._work.__await__()
        step = partial(next, steps)
        while True:
            try:
                awaited = step()
            except StopIteration:
                return
            self.waits += 1
            if self.waits == self._at and (task := current_task()):
                # What it is about to wait for is what will be cancelled.
                task.cancel()
            try:
                step = partial(steps.send, (yield awaited))
            except BaseException as error:  # the work decides what becomes of it
                step = partial(steps.throw, error)
