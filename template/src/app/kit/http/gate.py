"""So many at once; the others wait in the order of their arrival."""

from asyncio import CancelledError, Future, ensure_future, get_running_loop
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum, auto
from typing import Any


class Turn(Enum):
    """How waiting ended."""

    CAME = auto()
    TOO_LATE = auto()
    LEFT = auto()


class Gate:
    """A number of places. Who takes one has to give it back, with `leave`."""

    def __init__(self, places: int, wait_limit: float) -> None:
        self.free = places
        self.wait_limit = wait_limit
        self._line: deque[Future[Turn]] = deque()

    async def enter(self, left: Callable[[], Awaitable[Any]]) -> Turn:
        """Take a place, or the first that becomes free: only with `Turn.CAME` it is taken.

        What `left` gives ends when there is nobody any more who waits for an answer. It is asked
        for only by those who have to wait.
        """
        if self.free:
            self.free -= 1
            return Turn.CAME
        loop = get_running_loop()
        turn: Future[Turn] = loop.create_future()

        def end(how: Turn) -> None:
            if not turn.done():
                turn.set_result(how)

        timer = loop.call_later(self.wait_limit, end, Turn.TOO_LATE)
        watch = ensure_future(left())
        watch.add_done_callback(lambda _: end(Turn.LEFT))
        self._line.append(turn)
        try:
            return await turn
        except CancelledError:
            if not turn.cancelled() and turn.result() is Turn.CAME:
                # It came in the same moment.
                self.leave()
            raise
        finally:
            timer.cancel()
            watch.cancel()
            with suppress(ValueError):
                self._line.remove(turn)

    def leave(self) -> None:
        """Give a place back, to the first in the line where there is one."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(Turn.CAME)
                return
        self.free += 1
