"""At startup, the service checks whether the server allows its number of connections."""

import pytest
from sqlalchemy import URL

from app.kit.db.connections.startup_checks import warn_if_too_many_connections
from app.kit.db.session import Database
from app.main import create_app
from tests.conformance.conftest import ReadLog
from tests.support.app import running
from tests.support.database import settings_with


async def warnings(read_log: ReadLog, url: URL, **database: object) -> list[str]:
    """Return the warnings that the capacity check logs with these settings."""
    settings = settings_with(url, **database).database
    opened = Database.open(settings, "capacity")
    await warn_if_too_many_connections(opened, settings)
    await opened.close()
    return [line["event"] for line in read_log() if line["level"] == "warning"]


async def test_warning_contains_the_numbers(unpooled_url: URL, read_log: ReadLog) -> None:
    (warning,) = await warnings(
        read_log, unpooled_url, pooler="none", processes=1000, pool_size=8, max_overflow=2
    )
    # Ten connections for writes and ten for reads.
    assert "1000 processes with up to 20 connections each need 20000" in warning
    assert "the primary accepts" in warning


async def test_primary_and_replica_are_checked_separately(
    unpooled_url: URL, read_log: ReadLog
) -> None:
    replica = settings_with(unpooled_url).database.url
    primary, second = await warnings(
        read_log,
        unpooled_url,
        pooler="none",
        replica_url=replica,
        processes=1000,
        pool_size=8,
        max_overflow=2,
    )
    assert "10 connections each need 10000, but the primary accepts" in primary
    assert "10 connections each need 10000, but the replica accepts" in second


@pytest.mark.parametrize(
    "settings",
    [
        {"pooler": "none", "pool_size": 1, "max_overflow": 0, "processes": 2},
        {"pooler": "pgbouncer", "processes": 1000},
    ],
)
async def test_sufficient_capacity_or_pooler_logs_no_warning(
    unpooled_url: URL, read_log: ReadLog, settings: dict[str, object]
) -> None:
    assert await warnings(read_log, unpooled_url, **settings) == []


async def test_capacity_is_checked_at_startup(
    unpooled_url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_with(unpooled_url, pooler="none", pool_size=1000)
    async with running(create_app(settings)):
        assert "need 2000, but the primary accepts" in capsys.readouterr().err
