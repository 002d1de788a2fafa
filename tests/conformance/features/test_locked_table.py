"""Requests that wait for a locked table leave slots and connections for other endpoints."""

import asyncio
from time import perf_counter
from typing import cast

import pytest
from fastapi import FastAPI
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.kit.http.application import Application
from app.kit.http.middleware.concurrency_limiter import ConcurrencyLimiter
from app.kit.http.routing import IndexedRouter
from app.main import create_app
from tests.support.app import client_of, running
from tests.support.database import settings_with

LOCK = text("LOCK TABLE conformance_locked IN ACCESS EXCLUSIVE MODE")


# Different ids, some of which equal path segments, and all methods of the resource.
WORDS = ["count", "unlocked", "locked", "feed", "batch", "posts", "conformance", "a", "b"]
BLOCKED = {
    "two endpoints": [("GET", "x"), ("POST", "")] * 8,
    "different ids": [("GET", f"{number}") for number in range(16)],
    "ids that are parts of paths": [("GET", word) for word in WORDS] * 2,
    "different methods": [
        *(("GET", "a"), ("HEAD", "b"), ("DELETE", "c"), ("POST", ""), ("PUT", "batch")),
        *(("GET", "feed/d"), ("HEAD", "feed/e")),
    ]
    * 3,
}


@pytest.mark.parametrize("requests", BLOCKED.values(), ids=BLOCKED)
async def test_other_endpoints_respond_while_requests_wait_for_locked_table(
    own_database_url: URL, requests: list[tuple[str, str]]
) -> None:
    settings = settings_with(own_database_url, pool_size=10, max_overflow=0, lock_timeout=30)
    app: FastAPI = create_app(settings)
    engine = create_async_engine(own_database_url)
    async with running(app), client_of(app) as client, asyncio.TaskGroup() as tasks:
        async with engine.connect() as connection:
            await connection.execute(LOCK)
            blocked = [
                tasks.create_task(client.request(method, f"/conformance/locked/{name}".rstrip("/")))
                for method, name in requests
            ]
            await asyncio.sleep(0.3)

            started = perf_counter()
            others = [client.post("/conformance/unlocked") for _ in range(20)]
            others += [client.get("/conformance/unlocked/count") for _ in range(20)]
            statuses = [each.status_code for each in await asyncio.gather(*others)]
            duration = perf_counter() - started

            assert set(statuses) == {200, 201}
            assert duration < 3
            assert not any(each.done() for each in blocked)
            await connection.rollback()
        blocked_responses = await asyncio.gather(*blocked)
    await engine.dispose()
    assert {each.status_code for each in blocked_responses} <= {200, 201, 204}


def test_resource_of_a_path_ignores_path_parameters() -> None:
    app = Application(openapi_url=None)
    for method, path in [
        *(("GET", "/v1"), ("GET", "/v1/posts"), ("GET", "/v1/posts/feed"), ("POST", "/v1/posts")),
        *(("GET", "/v1/posts/{post_id}"), ("PUT", "/v1/posts/{post_id}/tags")),
        *(("GET", "/v1/tags/{name}"), ("GET", "/v1/tags/popular"), ("GET", "/v1/reports/daily")),
        *(("GET", "/{tenant}/orders/{order_id}"), ("GET", "/{page}"), ("GET", "/")),
    ]:
        app.add_api_route(path, lambda: None, methods=[method])
    app.mount("/admin", FastAPI(openapi_url=None))
    router = cast("IndexedRouter", app.router)

    assert {
        (method, path): router.resource_of({"method": method, "path": path})
        for method, path in [
            *(("GET", "/"), ("GET", "/v1"), ("GET", "/v1/posts"), ("POST", "/v1/posts")),
            *(("GET", "/v1/posts/feed"), ("HEAD", "/v1/posts/7"), ("PUT", "/v1/posts/tags/tags")),
            *(("GET", "/v1/tags/posts"), ("GET", "/v1/tags/popular"), ("GET", "/v1/reports/daily")),
            *(("GET", "/admin/posts"), ("GET", "/a/orders/1"), ("GET", "/b/orders/posts")),
            *(("GET", "/c"), ("GET", "/v1/unknown")),
        ]
    } == {
        ("GET", "/"): "",
        ("GET", "/v1"): "/v1",
        ("GET", "/v1/posts"): "/v1/posts",
        ("POST", "/v1/posts"): "/v1/posts",
        ("GET", "/v1/posts/feed"): "/v1/posts",
        ("HEAD", "/v1/posts/7"): "/v1/posts",
        ("PUT", "/v1/posts/tags/tags"): "/v1/posts",
        ("GET", "/v1/tags/posts"): "/v1/tags",
        ("GET", "/v1/tags/popular"): "/v1/tags",
        ("GET", "/v1/reports/daily"): "/v1/reports/daily",
        ("GET", "/admin/posts"): "/admin",
        ("GET", "/a/orders/1"): "/*/orders",
        ("GET", "/b/orders/posts"): "/*/orders",
        ("GET", "/c"): "/*",
        ("GET", "/v1/unknown"): "",
    }


async def admitted(limiter: ConcurrencyLimiter, resource: str) -> int:
    """Send requests for a resource until one is queued; return how many were admitted."""
    for number in range(1000):
        waiting = asyncio.create_task(limiter.acquire(resource))
        await asyncio.sleep(0)
        if not waiting.done():
            waiting.cancel()
            return number
    raise AssertionError


@pytest.mark.parametrize(
    ("slots", "first", "second"), [(1, 1, 0), (2, 2, 0), (4, 3, 1), (10, 7, 2), (16, 11, 3)]
)
async def test_one_resource_uses_a_limited_share_of_slots(
    slots: int, first: int, second: int
) -> None:
    limiter = ConcurrencyLimiter(slots, wait_limit=60)
    assert (await admitted(limiter, "a"), await admitted(limiter, "b")) == (first, second)
    for _ in range(first):
        limiter.release("a")
    for _ in range(second):
        limiter.release("b")
    assert limiter.free == slots


async def test_queue_is_fifo_per_resource_and_blocked_requests_are_overtaken() -> None:
    limiter = ConcurrencyLimiter(4, wait_limit=60)
    for _ in range(3):
        await limiter.acquire("blocked")
    order: list[str] = []

    async def enter(name: str, resource: str) -> None:
        assert await limiter.acquire(resource)
        order.append(name)

    async with asyncio.TaskGroup() as tasks:
        for number in range(3):
            tasks.create_task(enter(f"blocked {number}", "blocked"))
        for number in range(3):
            tasks.create_task(enter(f"other {number}", "other"))
        await asyncio.sleep(0.01)
        assert order == ["other 0"]
        for _ in range(2):
            limiter.release("other")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert order == ["other 0", "other 1", "other 2"]
        for resource in ["other", "blocked", "blocked", "blocked"]:
            limiter.release(resource)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
    assert order[3:] == ["blocked 0", "blocked 1", "blocked 2"]


async def test_queued_requests_of_all_resources_time_out() -> None:
    limiter = ConcurrencyLimiter(1, wait_limit=0.05)
    await limiter.acquire("a")
    waiting = [limiter.acquire(resource) for resource in "abc" for _ in range(3)]
    assert set(await asyncio.gather(*waiting)) == {False}
    assert limiter.waiting == 0


async def test_free_slot_goes_to_the_oldest_request_of_all_resources() -> None:
    limiter, order = ConcurrencyLimiter(1, wait_limit=60), list[str]()

    async def enter(resource: str) -> None:
        await limiter.acquire(resource)
        order.append(resource)
        limiter.release(resource)

    await limiter.acquire("a")
    async with asyncio.TaskGroup() as tasks:
        for resource in "bcab":
            tasks.create_task(enter(resource))
            await asyncio.sleep(0)
        limiter.release("a")

    assert order == ["b", "c", "a", "b"]
