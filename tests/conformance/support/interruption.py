"""Cancelling a piece of work at each point where it waits."""

from asyncio import AbstractEventLoop, current_task, get_running_loop
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any


class Interruption:
    """Work whose task is cancelled the n-th time it waits for anything."""

    def __init__(self, work: Coroutine[Any, Any, object], at: int) -> None:
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


def overlook_cancelled_connects() -> None:
    """Let no test fail because another was cancelled while it connected.

    Over TCP asyncpg first asks the server for TLS. Who is cancelled at that moment leaves behind
    an answer that nobody looks at; asyncio reports it whenever that is collected, and anyio fails
    the test that happens to be running.
    """
    loop = get_running_loop()
    report = loop.get_exception_handler() or type(loop).default_exception_handler

    def overlook(loop: AbstractEventLoop, context: dict[str, Any]) -> None:
        if str(context.get("exception")) != "unexpected connection_lost() call":
            report(loop, context)

    loop.set_exception_handler(overlook)
