"""A time limit cancels each block on its own, with one timer for all."""

import asyncio
import time

import pytest

from app.kit.http.time_limit import TimeLimit


async def block(limit: TimeLimit, seconds: float, stop_after: float | None = None) -> bool:
    """Sleep within a limit; return whether it was cancelled."""
    cut = limit.start()
    try:
        async with cut:
            if stop_after is not None:
                await asyncio.sleep(stop_after)
                limit.stop(cut)
            await asyncio.sleep(seconds)
    except TimeoutError:
        return True
    finally:
        limit.end(cut)
    return False


async def test_blocks_that_begin_at_different_times_end_at_their_own_limit() -> None:
    limit, loop = TimeLimit(0.1), asyncio.get_running_loop()
    first = asyncio.create_task(block(limit, 5))
    await asyncio.sleep(0.05)
    begun = loop.time()
    assert await block(limit, 5)
    assert loop.time() - begun >= 0.1
    assert first.done()
    assert await first


async def test_a_block_that_ends_in_time_is_not_cancelled() -> None:
    limit = TimeLimit(0.05)
    results = await asyncio.gather(*(block(limit, seconds) for seconds in (0, 0.01, 5)))
    assert results == [False, False, True]


async def test_a_block_whose_limit_was_stopped_takes_as_long_as_it_needs() -> None:
    assert not await block(TimeLimit(0.05), 0.1, stop_after=0.01)


async def test_the_limit_works_again_after_a_pause() -> None:
    limit = TimeLimit(0.01)
    for _ in range(2):
        assert await block(limit, 5)
        await asyncio.sleep(0.03)


async def test_cancellation_from_outside_remains_a_cancellation() -> None:
    limit = TimeLimit(5)
    task = asyncio.create_task(block(limit, 5))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_block_may_end_at_the_very_moment_of_its_limit() -> None:
    limit = TimeLimit(0.01)
    cut = limit.start()
    async with cut:
        # The limit is due when this block runs again.
        time.sleep(0.02)  # noqa: ASYNC251 - it has to block the event loop
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    limit.end(cut)
    assert not cut.expired()
