"""A time limit for blocks of code, with one shared timer."""

from asyncio import AbstractEventLoop, Timeout, TimerHandle, get_running_loop, timeout


class TimeLimit:
    """Cancels blocks that take too long. Such a block raises TimeoutError.

    `asyncio.timeout` uses one timer per block, which takes a tenth of the time of a small request.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        # Ordered by deadline, because all blocks have the same limit.
        self._deadlines: dict[Timeout, float] = {}
        self._timer: TimerHandle | None = None

    def start(self) -> Timeout:
        """Return the context manager for a block. The time starts now."""
        block, loop = timeout(None), get_running_loop()
        self._deadlines[block] = deadline = loop.time() + self.seconds
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._expire, loop)
        return block

    def end(self, block: Timeout) -> None:
        """Remove a block that has ended."""
        self._deadlines.pop(block, None)

    def stop(self, block: Timeout) -> None:
        """Remove the limit of a block that still runs."""
        if self._deadlines.pop(block, None) is None and block.when() and not block.expired():
            block.reschedule(None)

    def _expire(self, loop: AbstractEventLoop) -> None:
        now = loop.time()
        self._timer = None
        for block, deadline in tuple(self._deadlines.items()):
            if deadline > now:
                self._timer = loop.call_at(deadline, self._expire, loop)
                break
            del self._deadlines[block]
            block.reschedule(now)
