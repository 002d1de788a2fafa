"""So many at once; the others wait in the order of their arrival."""

from asyncio import AbstractEventLoop, CancelledError, Future, TimerHandle, get_running_loop
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple


class Turn(Enum):
    """How waiting ended."""

    CAME = auto()
    TOO_LATE = auto()
    LEFT = auto()


class _Waiting(NamedTuple):
    turn: Future[Turn]
    until: float
    has_left: Callable[[], bool]


class Gate:
    """A number of places. Who takes one has to give it back, with `leave`."""

    def __init__(self, places: int, wait_limit: float) -> None:
        self.free = places
        self.wait_limit = wait_limit
        # How many waited in vain, ever.
        self.shed = 0
        self._line: deque[_Waiting] = deque()
        self._timer: TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        # A copy, which is made at once: metrics ask from a thread of their own.
        return sum(not each.turn.done() for each in tuple(self._line))

    async def enter(self, has_left: Callable[[], bool]) -> Turn:
        """Take a place, or the first that becomes free: only with `Turn.CAME` it is taken.

        `has_left` says whether there is nobody any more who waits for an answer. It is asked when
        the turn of one who had to wait has come.
        """
        if self.free:
            self.free -= 1
            return Turn.CAME
        loop = get_running_loop()
        turn: Future[Turn] = loop.create_future()
        if not self._line:
            self._watch(loop, loop.time() + self.wait_limit)
        self._line.append(_Waiting(turn, loop.time() + self.wait_limit, has_left))
        try:
            return await turn
        except CancelledError:
            if not turn.cancelled() and turn.result() is Turn.CAME:
                # It came in the same moment.
                self.leave()
            raise

    def leave(self) -> None:
        """Give a place back, to the first in the line where there is one."""
        while self._line:
            turn, _, has_left = self._line.popleft()
            if turn.done():
                continue
            if not has_left():
                turn.set_result(Turn.CAME)
                return
            turn.set_result(Turn.LEFT)
        self.free += 1

    def _watch(self, loop: AbstractEventLoop, until: float) -> None:
        # All wait for the same time: one timer, for the first, is enough for the whole line.
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_at(until, self._turn_away, loop)

    def _turn_away(self, loop: AbstractEventLoop) -> None:
        while self._line and (self._line[0].turn.done() or self._line[0].until <= loop.time()):
            turn = self._line.popleft().turn
            if not turn.done():
                turn.set_result(Turn.TOO_LATE)
        if self._line:
            self._watch(loop, self._line[0].until)
