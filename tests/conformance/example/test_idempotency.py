"""Requests with one `Idempotency-Key` that meet, fail, are cancelled or are malformed."""

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
from tests.rig.app import client_of, running, with_prepared_routes
from tests.rig.database import settings_with

Post = Callable[..., Task[Response]]


@pytest.fixture
async def shop(own_app: FastAPI) -> Shop:
    """Two products, ten pieces of each."""
    return await open_shop(own_app, 10, 10)


@pytest.fixture
def order(committing_client: AsyncClient) -> Post:
    """Begin to place an order under a key."""

    def begin(body: dict[str, Any], key: str = "k") -> Task[Response]:
        return create_task(
            committing_client.post("/orders", json=body, headers={"Idempotency-Key": key})
        )

    return begin


def is_repeated(answer: Response) -> bool:
    """Whether the service says that it had answered this before."""
    return answer.headers.get("Idempotent-Replayed") == "true"


async def test_the_same_said_in_another_way_is_the_same_request(
    shop: Shop, order: Post, committing_client: AsyncClient
) -> None:
    body = shop.order(3)
    first = await order(body)
    backwards = json.dumps(dict(reversed(body.items())), indent=2)
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    again = await committing_client.post("/orders", content=backwards, headers=headers)
    assert again.content == first.content


async def test_who_waits_for_a_request_that_fails_does_it_instead(shop: Shop, order: Post) -> None:
    async with shop.database.transaction() as session:
        await ProductRepository(session).get(shop.products[0].id, for_update=True)
        first = order(shop.order(3))
        await shop.until_waiting(1)
        # The one waits for the product, the other for the key.
        second = order(shop.order(3))
        await shop.until_waiting(2)
        await end_sessions(shop, "FROM products")
        assert (await first).status_code == 503
    assert (await second).status_code == 201
    assert not is_repeated(await second)
    assert (await shop.count("orders"), await shop.stocks()) == (1, [7, 10])


async def end_sessions(shop: Shop, statement: str) -> None:
    """End the sessions that wait for a lock with this in their statement, as a crash would."""
    async with shop.database.transaction() as session:
        ended = await session.scalars(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock' "
                "AND strpos(query, :statement) > 0"
            ),
            {"statement": statement},
        )
        assert ended.all() == [True]


async def test_an_answer_that_is_lost_after_the_commit_is_given_again(
    shop: Shop, order: Post, own_app: FastAPI
) -> None:
    async def deaf(scope: Scope, receive: Receive, _send: Send) -> None:
        async def lose(_message: Message) -> None:
            raise ConnectionResetError

        await own_app(scope, receive, lose)

    async with AsyncClient(transport=ASGITransport(deaf), base_url="http://test") as client:
        with pytest.raises(ConnectionResetError):
            await client.post("/orders", json=shop.order(3), headers={"Idempotency-Key": "k"})
    assert await shop.count("orders") == 1
    again = await order(shop.order(3))
    assert (again.status_code, is_repeated(again)) == (201, True)
    assert (await shop.count("orders"), await shop.stocks()) == (1, [7, 10])


async def test_a_request_may_be_cancelled_at_any_moment_and_its_repetition_makes_one_order(
    own_app: FastAPI, order: Post, thorough: bool
) -> None:
    moments = 500 if thorough else 40
    shop = await open_shop(own_app, 1 + moments)
    began = perf_counter()
    await order(shop.order(1))
    took = perf_counter() - began
    repeated = 0
    for moment in range(moments):
        key = f"k{moment}"
        attempt = order(shop.order(1), key)
        if moment < moments - 1:
            await sleep(2 * took * moment / moments)
            attempt.cancel()
        # The last is left alone, however long an order takes by now.
        await gather(attempt, return_exceptions=True)
        answer = await order(shop.order(1), key)
        assert answer.status_code == 201
        assert await shop.count("orders") == 1 + moment + 1
        repeated += is_repeated(answer)
    assert await shop.stocks() == [0]
    # Some were cancelled before their end, and some too late for that.
    assert 0 < repeated < moments


async def test_who_waits_too_long_for_the_first_is_told_to_come_back(
    direct_url: URL, prepared: FastAPI
) -> None:
    # Behind a pooler the limit is the role's.
    impatient = create_app(settings_with(direct_url, pooler="none", lock_timeout=0.2))
    async with running(with_prepared_routes(impatient, prepared)) as app, client_of(app) as client:
        shop = await open_shop(app, 10)
        request: dict[str, Any] = {"json": shop.order(3), "headers": {"Idempotency-Key": "k"}}
        async with shop.database.transaction() as session:
            # As a request would that takes its time.
            await session.execute(
                text(
                    "INSERT INTO idempotency_keys (scope, key, fingerprint) "
                    "VALUES ('place_order', 'k', '')"
                )
            )
            late = await client.post("/orders", **request)
            assert (late.status_code, late.headers["Retry-After"]) == (503, "1")
            await session.execute(text("DELETE FROM idempotency_keys"))
        assert (await client.post("/orders", **request)).status_code == 201
        assert await shop.count("orders") == 1


@pytest.mark.parametrize("key", [b"", b"a b", b"a\tb", b"\xe9", b"\x7f", b"k" * 256])
async def test_a_malformed_key_is_refused_by_name(client: AsyncClient, key: bytes) -> None:
    for path in ("/orders", "/products/batch"):
        answer = await client.post(path, json={}, headers=[(b"Idempotency-Key", key)])
        assert answer.status_code == 422
        assert "header.Idempotency-Key" in [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("key", ["k", "k" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "!~'--"])
async def test_any_other_key_is_taken(shop: Shop, order: Post, key: str) -> None:
    assert not is_repeated(await order(shop.order(1), key))
    assert is_repeated(await order(shop.order(1), key))
