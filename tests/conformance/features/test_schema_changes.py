"""Running processes keep working while a migration changes a column's type."""

import asyncio

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError, InterfaceError, PendingRollbackError, StatementError
from sqlalchemy.ext.asyncio import create_async_engine

from app.kit.http.application import Application
from tests.support.app import client_of

SAMPLE = {"label": "Sand", "weight": 7, "grade": "fine"}
PREFIX = "/conformance/samples"
READS = [
    "read-session",
    "session",
    "star",
    "compiled-read",
    "feed",
    "concurrent-reads",
    "stream",
    "view-stream",
]
WRITES = ["session", "retrying", "compiled-insert", "copy"]
CHANGES = {
    "varchar_is_widened": ["ALTER TABLE conformance_samples ALTER COLUMN label TYPE varchar(50)"],
    "integer_is_widened": ["ALTER TABLE conformance_samples ALTER COLUMN weight TYPE bigint"],
    "integer_becomes_real": ["ALTER TABLE conformance_samples ALTER COLUMN weight TYPE real"],
    "column_is_added": ["ALTER TABLE conformance_samples ADD COLUMN note text"],
    "enum_is_created_again": [
        "ALTER TABLE conformance_samples ALTER COLUMN grade TYPE text",
        "DROP TYPE conformance_mark",
        "CREATE TYPE conformance_mark AS ENUM ('coarse', 'fine')",
        """ALTER TABLE conformance_samples ALTER COLUMN grade TYPE conformance_mark
        USING grade::conformance_mark""",
    ],
    "enum_value_is_added": ["ALTER TYPE conformance_mark ADD VALUE 'dust'"],
}


async def migrate(url: URL, statements: list[str]) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def call_all_endpoints(client: AsyncClient) -> list[Response]:
    """Call every read and write endpoint, three requests each, concurrently."""
    reads = [client.get(f"{PREFIX}/by-{way}") for way in READS for _ in range(3)]
    writes = [client.post(f"{PREFIX}/by-{way}", json=SAMPLE) for way in WRITES for _ in range(3)]
    return await asyncio.gather(*reads, *writes)


@pytest.mark.parametrize("change", CHANGES)
async def test_running_process_serves_requests_after_migration(
    committing_client: AsyncClient, own_database_url: URL, change: str
) -> None:
    for _ in range(3):
        assert {each.status_code for each in await call_all_endpoints(committing_client)} == {
            200,
            201,
        }

    await migrate(own_database_url, CHANGES[change])

    # Each pooled connection may fail once.
    after = [each for _ in range(5) for each in await call_all_endpoints(committing_client)]
    failed = [each for each in after if not each.is_success]
    assert {each.status_code for each in failed} <= {503}, [each.text for each in failed]
    assert all(each.headers["Retry-After"] == "1" for each in failed)
    # The service retries these statements, so no client sees an error.
    retried = [each for each in after if "compiled" in each.url.path or "retry" in each.url.path]
    assert all(each.is_success for each in retried)
    last = await call_all_endpoints(committing_client)
    assert {each.status_code for each in last} == {200, 201}
    stored = (await committing_client.get(f"{PREFIX}/by-read-session")).json()
    created = 3 * 3 * len(WRITES) + sum(each.status_code == 201 for each in [*after, *last])
    assert len(stored) == created
    assert {(each["label"], each["weight"], each["grade"]) for each in stored} == {
        ("Sand", 7, "fine")
    }


async def test_copy_encodes_for_the_current_column_type(
    committing_client: AsyncClient, own_database_url: URL
) -> None:
    for _ in range(5):
        assert (await committing_client.post(f"{PREFIX}/by-copy", json=SAMPLE)).is_success

    # The new type has the same size and another encoding.
    await migrate(own_database_url, CHANGES["integer_becomes_real"])

    assert (await committing_client.post(f"{PREFIX}/by-copy", json=SAMPLE)).is_success
    stored = (await committing_client.get(f"{PREFIX}/by-read-session")).json()
    assert [each["weight"] for each in stored] == [7] * 6


@pytest.mark.parametrize(
    "error",
    [
        DBAPIError("No original", None, None),  # type: ignore[arg-type]  # no original
        InterfaceError("No original", "SELECT 1", {}, None),  # type: ignore[arg-type]  # no original
        StatementError("(builtins.ValueError) value", "SELECT :x", {"x": "secret"}, None),
        PendingRollbackError("This session's transaction has been rolled back"),
        ExceptionGroup("tasks", [DBAPIError("No original", None, None)]),  # type: ignore[arg-type]  # no original
        ExceptionGroup("tasks", [ExceptionGroup("inner", [ValueError("\ud800")])]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_exception_without_driver_error_is_a_problem_document(error: Exception) -> None:
    app: FastAPI = Application()

    @app.get("/conformance/raise")
    async def fail() -> None:
        raise error

    async with client_of(app) as client:
        response = await client.get("/conformance/raise")
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "secret" not in response.text


async def test_error_in_task_group_is_mapped_like_a_single_error() -> None:
    app: FastAPI = Application()

    @app.get("/conformance/raise")
    async def fail() -> None:
        lost = DBAPIError("lost", None, OSError(), connection_invalidated=True)
        raise ExceptionGroup("tasks", [lost])

    async with client_of(app) as client:
        response = await client.get("/conformance/raise")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
