"""Requests to an endpoint whose table needs a pending migration."""

import json

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL, text

from app.about import NAME
from app.kit.http.dependencies import ReadSessionDep
from app.kit.migrations.runner import load_revisions
from tests.conformance.conftest import ReadLog
from tests.conformance.features.test_schema_changes import PREFIX, READS, SAMPLE, WRITES, migrate

UNDEFINED = {
    "table": "ALTER TABLE conformance_samples RENAME TO conformance_elsewhere",
    "column": "ALTER TABLE conformance_samples RENAME COLUMN label TO name",
}


async def call_all_endpoints(client: AsyncClient) -> list[tuple[int, str]]:
    """Call every read and write endpoint; return statuses and details."""
    # "star" names no column; "stream" starts its response before the statement fails.
    reads = [way for way in READS if way not in {"star", "stream"}]
    responses = [await client.get(f"{PREFIX}/by-{way}") for way in reads]
    responses += [await client.post(f"{PREFIX}/by-{way}", json=SAMPLE) for way in WRITES]
    return [(each.status_code, each.json()["detail"]) for each in responses]


@pytest.mark.parametrize("undefined", UNDEFINED)
async def test_pending_migration_is_reported_without_traceback(
    committing_client: AsyncClient, own_database_url: URL, read_log: ReadLog, undefined: str
) -> None:
    head = ", ".join(sorted(load_revisions().heads))
    await migrate(own_database_url, [UNDEFINED[undefined], "DELETE FROM alembic_version"])
    expected = (
        f"The database is at migration none, the code at {head}. Apply the pending migrations with "
        f"`{NAME} migrate`."
    )

    assert set(await call_all_endpoints(committing_client)) == {(503, expected)}

    events = read_log()
    errors = {(each["event"], each["reason"]) for each in events if each["level"] != "info"}
    assert errors == {("request failed", expected)}
    assert "Traceback" not in json.dumps(events)


@pytest.mark.parametrize(
    ("undefined", "name"),
    [("table", "Table conformance_samples"), ("column", "Column conformance_samples.label")],
)
async def test_missing_migration_is_reported_without_traceback(
    committing_client: AsyncClient,
    own_database_url: URL,
    read_log: ReadLog,
    undefined: str,
    name: str,
) -> None:
    await migrate(own_database_url, [UNDEFINED[undefined]])

    assert {status for status, _ in await call_all_endpoints(committing_client)} == {500}

    events = read_log()
    expected = (
        f"{name} does not exist, and no migration is pending. Write the migration with "
        f'`{NAME} revision -m "…"`, and apply it with `{NAME} migrate`.'
    )
    errors = {(each["event"], each["reason"]) for each in events if each["level"] == "error"}
    assert errors == {("missing migration", expected)}
    assert "Traceback" not in json.dumps(events)


async def test_undefined_table_without_model_is_an_internal_error(
    committing_client: AsyncClient, own_app: FastAPI, read_log: ReadLog
) -> None:
    @own_app.get("/typo")
    async def read(session: ReadSessionDep) -> None:
        await session.execute(text("SELECT * FROM typo"))

    assert (await committing_client.get("/typo")).status_code == 500

    assert "UndefinedTableError" in json.dumps(read_log())
