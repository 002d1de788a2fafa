"""Cancel a coroutine at each of its awaits."""

from asyncio import AbstractEventLoop, current_task, get_running_loop
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any


class CancelAtAwait:
    """A coroutine whose task is cancelled at its n-th await."""

    def __init__(self, coroutine: Coroutine[Any, Any, object], at: int) -> None:
        self.awaits = 0
        self._coroutine = coroutine
        self._at = at

    async def run(self) -> None:
        """Run the coroutine. Call this in a new task."""
        await self

    def __await__(self) -> Generator[Any, Any, None]:
        """Forward each awaited future to the event loop, and its result to the coroutine."""
        steps = self._coroutine.__await__()
        step = partial(next, steps)
        while True:
            try:
                awaited = step()
            except StopIteration:
                return
            self.awaits += 1
            if self.awaits == self._at and (task := current_task()):
                # Cancel the await that is about to start.
                task.cancel()
            try:
                step = partial(steps.send, (yield awaited))
            except BaseException as error:  # the coroutine handles it
                step = partial(steps.throw, error)


def ignore_cancelled_connect_errors() -> None:
    """Ignore the error that asyncio reports after a connect was cancelled.

    Over TCP, asyncpg first requests TLS from the server. A cancelled connect leaves that future
    without a reader; asyncio reports it at garbage collection, and anyio then fails the test that
    is running.
    """
    loop = get_running_loop()
    report = loop.get_exception_handler() or type(loop).default_exception_handler

    def ignore(loop: AbstractEventLoop, context: dict[str, Any]) -> None:
        if str(context.get("exception")) != "unexpected connection_lost() call":
            report(loop, context)

    loop.set_exception_handler(ignore)
