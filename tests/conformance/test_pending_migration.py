"""An endpoint whose table has a pending migration."""

import json

import pytest
from httpx2 import AsyncClient
from sqlalchemy import URL

from app.about import NAME
from app.kit.db.schema_state import revisions_of_the_code
from tests.conformance.test_schema_changes import PREFIX, READS, SAMPLE, WRITES, migrate
from tests.kit.conftest import Logged, logged

__all__ = ["logged"]

UNDEFINED = {
    "table": "ALTER TABLE conformance_samples RENAME TO conformance_elsewhere",
    "column": "ALTER TABLE conformance_samples RENAME COLUMN label TO name",
}


async def call_everything(client: AsyncClient) -> list[tuple[int, str]]:
    """Read and write in every way; the statuses and details."""
    # "star" names no column; "stream" has begun its response before its statement fails.
    reads = [way for way in READS if way not in {"star", "stream"}]
    responses = [await client.get(f"{PREFIX}/by-{way}") for way in reads]
    responses += [await client.post(f"{PREFIX}/by-{way}", json=SAMPLE) for way in WRITES]
    return [(each.status_code, each.json()["detail"]) for each in responses]


@pytest.mark.parametrize("undefined", UNDEFINED)
async def test_pending_migration_is_named_instead_of_a_trace(
    committing_client: AsyncClient, own_database_url: URL, logged: Logged, undefined: str
) -> None:
    head = ", ".join(sorted(revisions_of_the_code().heads))
    await migrate(own_database_url, [UNDEFINED[undefined], "DELETE FROM alembic_version"])
    expected = (
        f"The database is at migration none, the code at {head}. Apply the pending migrations with "
        f"`{NAME} migrate`."
    )

    assert set(await call_everything(committing_client)) == {(503, expected)}

    events = logged()
    assert {each["event"] for each in events if each["level"] == "error"} == {expected}
    assert "Traceback" not in json.dumps(events)


async def test_undefined_table_without_pending_migration_is_a_bug(
    committing_client: AsyncClient, own_database_url: URL, logged: Logged
) -> None:
    await migrate(own_database_url, [UNDEFINED["table"]])

    assert {status for status, _ in await call_everything(committing_client)} == {500}

    assert "UndefinedTableError" in json.dumps(logged())
