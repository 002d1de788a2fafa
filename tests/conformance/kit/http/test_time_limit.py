"""A time limit cancels each block separately, with one shared timer."""

import asyncio
import time

import pytest

from app.kit.http.middleware.request_limits import TimeLimit


async def block(limit: TimeLimit, seconds: float, stop_after: float | None = None) -> bool:
    """Sleep inside a time limit; return whether it was exceeded."""
    timeout = limit.start()
    try:
        async with timeout:
            if stop_after is not None:
                await asyncio.sleep(stop_after)
                limit.stop(timeout)
            await asyncio.sleep(seconds)
    except TimeoutError:
        return True
    finally:
        limit.end(timeout)
    return False


async def test_each_block_has_its_own_limit() -> None:
    limit, loop = TimeLimit(0.1), asyncio.get_running_loop()
    first = asyncio.create_task(block(limit, 5))
    await asyncio.sleep(0.05)
    started = loop.time()
    assert await block(limit, 5)
    assert loop.time() - started >= 0.1
    assert first.done()
    assert await first


async def test_block_that_ends_in_time_is_not_cancelled() -> None:
    limit = TimeLimit(0.05)
    results = await asyncio.gather(*(block(limit, seconds) for seconds in (0, 0.01, 5)))
    assert results == [False, False, True]


async def test_stopped_limit_does_not_cancel() -> None:
    assert not await block(TimeLimit(0.05), 0.1, stop_after=0.01)


async def test_limit_works_again_after_a_pause() -> None:
    limit = TimeLimit(0.01)
    for _ in range(2):
        assert await block(limit, 5)
        await asyncio.sleep(0.03)


async def test_outside_cancellation_is_not_a_timeout() -> None:
    limit = TimeLimit(5)
    task = asyncio.create_task(block(limit, 5))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_block_may_end_exactly_at_its_limit() -> None:
    limit = TimeLimit(0.01)
    timeout = limit.start()
    async with timeout:
        # The limit has expired when this block continues.
        time.sleep(0.02)  # noqa: ASYNC251 - blocks the event loop on purpose
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    limit.end(timeout)
    assert not timeout.expired()
