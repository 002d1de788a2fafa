"""Slow statements are logged."""

from collections.abc import AsyncGenerator

import pytest
from fastapi import FastAPI
from sqlalchemy import URL

from app.kit.db.connections.asyncpg_driver import has_listeners
from app.kit.db.session import Database
from tests.conformance.conftest import ReadLog
from tests.conformance.support.observed_service import (
    PATHS,
    deliver_driver_events,
    observed_service,
    observed_settings,
)
from tests.support.app import client_of

SECRET = "nobody's business"


@pytest.fixture
async def own_app(unpooled_url: URL) -> AsyncGenerator[FastAPI]:
    async with observed_service(observed_settings(unpooled_url, slow_query_ms=50)) as app:
        yield app


@pytest.mark.parametrize("path", PATHS)
async def test_slow_statement_is_logged_without_its_values(
    own_app: FastAPI, read_log: ReadLog, path: str
) -> None:
    async with client_of(own_app) as client:
        headers = {"X-Request-ID": "slow"}
        await client.get(f"{path}/{SECRET}?seconds=0.06", headers=headers)
        await client.get(f"{path}/{SECRET}?seconds=0")
        await deliver_driver_events()
    lines = [line for line in read_log() if line["event"] == "slow statement"]
    (line,) = lines
    assert "pg_sleep" in line["statement"]
    assert 60 <= line["milliseconds"] < 2000
    assert line["request_id"] == "slow"
    assert SECRET not in str(line)


async def test_slow_statement_log_does_not_disable_compiled_queries(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    assert not any(has_listeners(engine) for engine in database.pools.values())
