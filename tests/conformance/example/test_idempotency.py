"""Concurrent, failed, cancelled and malformed requests with an `Idempotency-Key`."""

import json
from asyncio import Task, create_task, gather, sleep
from collections.abc import Callable
from time import perf_counter
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import URL, text
from starlette.types import Message, Receive, Scope, Send

from app.example.catalog.repository import ProductRepository
from app.main import create_app
from tests.example.order_factories import Shop, open_shop
from tests.support.app import client_of, running, with_prepared_routes
from tests.support.authentication import client_headers
from tests.support.database import settings_with

Post = Callable[..., Task[Response]]


@pytest.fixture
async def shop(own_app: FastAPI) -> Shop:
    """Two products with a stock of 10."""
    return await open_shop(own_app, 10, 10)


@pytest.fixture
def order(committing_client: AsyncClient) -> Post:
    """Start placing an order with an idempotency key."""

    def begin(body: dict[str, Any], key: str = "k") -> Task[Response]:
        return create_task(
            committing_client.post("/orders", json=body, headers={"Idempotency-Key": key})
        )

    return begin


def is_replayed(response: Response) -> bool:
    """Whether the response is a replay of an earlier one."""
    return response.headers.get("Idempotent-Replayed") == "true"


async def test_key_matches_equivalent_json(
    shop: Shop, order: Post, committing_client: AsyncClient
) -> None:
    body = shop.order(3)
    first = await order(body)
    backwards = json.dumps(dict(reversed(body.items())), indent=2)
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    again = await committing_client.post("/orders", content=backwards, headers=headers)
    assert again.content == first.content


async def test_waiting_request_runs_after_first_request_fails(shop: Shop, order: Post) -> None:
    async with shop.database.transaction() as session:
        await ProductRepository(session).get(shop.products[0].id, for_update=True)
        first = order(shop.order(3))
        await shop.wait_for_blocked(1)
        # The first request waits for the product, the second for the idempotency key.
        second = order(shop.order(3))
        await shop.wait_for_blocked(2)
        await end_sessions(shop, "FROM products")
        assert (await first).status_code == 503
    assert (await second).status_code == 201
    assert not is_replayed(await second)
    assert (await shop.count("orders"), await shop.stocks()) == (1, [7, 10])


async def end_sessions(shop: Shop, statement: str) -> None:
    """Terminate the sessions that wait for a lock in this statement, as a crash would."""
    async with shop.database.transaction() as session:
        ended = await session.scalars(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock' "
                "AND strpos(query, :statement) > 0"
            ),
            {"statement": statement},
        )
        assert ended.all() == [True]


async def test_response_lost_after_commit_is_replayed(
    shop: Shop, order: Post, own_app: FastAPI
) -> None:
    async def disconnected_app(scope: Scope, receive: Receive, _send: Send) -> None:
        async def lose(_message: Message) -> None:
            raise ConnectionResetError

        await own_app(scope, receive, lose)

    async with AsyncClient(
        transport=ASGITransport(disconnected_app),
        base_url="http://test",
        headers=client_headers(),
    ) as client:
        with pytest.raises(ConnectionResetError):
            await client.post("/orders", json=shop.order(3), headers={"Idempotency-Key": "k"})
    assert await shop.count("orders") == 1
    again = await order(shop.order(3))
    assert (again.status_code, is_replayed(again)) == (201, True)
    assert (await shop.count("orders"), await shop.stocks()) == (1, [7, 10])


async def test_order_is_placed_once_after_cancellation_at_any_moment(
    own_app: FastAPI, order: Post, full_scale: bool
) -> None:
    moments = 500 if full_scale else 40
    shop = await open_shop(own_app, 1 + moments)
    started = perf_counter()
    await order(shop.order(1))
    duration = perf_counter() - started
    repeated = 0
    for moment in range(moments):
        key = f"k{moment}"
        attempt = order(shop.order(1), key)
        if moment < moments - 1:
            await sleep(2 * duration * moment / moments)
            attempt.cancel()
        # The last request is not cancelled, however long it takes.
        await gather(attempt, return_exceptions=True)
        response = await order(shop.order(1), key)
        assert response.status_code == 201
        assert await shop.count("orders") == 1 + moment + 1
        repeated += is_replayed(response)
    assert await shop.stocks() == [0]
    # Some requests were cancelled before their commit, and some after it.
    assert 0 < repeated < moments


async def test_lock_timeout_on_key_returns_503_with_retry_after(
    unpooled_url: URL, prepared: FastAPI
) -> None:
    # Behind a pooler, the role sets the lock timeout.
    app_with_lock_timeout = create_app(settings_with(unpooled_url, pooler="none", lock_timeout=0.2))
    async with (
        running(with_prepared_routes(app_with_lock_timeout, prepared)) as app,
        client_of(app) as client,
    ):
        shop = await open_shop(app, 10)
        request: dict[str, Any] = {"json": shop.order(3), "headers": {"Idempotency-Key": "k"}}
        await client.post("/orders", json=shop.order(3), headers={"Idempotency-Key": "other"})
        async with shop.database.transaction() as session:
            # Simulates a slow request with this key.
            await session.execute(
                text(
                    "INSERT INTO idempotency_keys (scope, key, fingerprint) "
                    "SELECT scope, 'k', '' FROM idempotency_keys WHERE key = 'other'"
                )
            )
            late = await client.post("/orders", **request)
            assert (late.status_code, late.headers["Retry-After"]) == (503, "1")
            await session.execute(text("DELETE FROM idempotency_keys WHERE key = 'k'"))
        assert (await client.post("/orders", **request)).status_code == 201
        assert await shop.count("orders") == 2


@pytest.mark.parametrize("key", [b"", b"a b", b"a\tb", b"\xe9", b"\x7f", b"k" * 256])
async def test_malformed_key_is_rejected(client: AsyncClient, key: bytes) -> None:
    for path in ("/orders", "/products/batch"):
        response = await client.post(path, json={}, headers=[(b"Idempotency-Key", key)])
        assert response.status_code == 422
        assert "header.Idempotency-Key" in [error["field"] for error in response.json()["errors"]]


@pytest.mark.parametrize("key", ["k", "k" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "!~'--"])
async def test_valid_key_is_accepted(shop: Shop, order: Post, key: str) -> None:
    assert not is_replayed(await order(shop.order(1), key))
    assert is_replayed(await order(shop.order(1), key))
