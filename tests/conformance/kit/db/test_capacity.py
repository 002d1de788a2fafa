"""At startup, the service checks the number of connections and the encoding of its servers."""

from collections.abc import Generator

import pytest
from sqlalchemy import URL, Text, cast, literal, select

from app.kit.db.connections.startup_checks import log_server_warnings
from app.kit.db.session import Database
from app.kit.http.dependencies import SessionDep
from app.main import create_app
from tests.conformance.conftest import ReadLog
from tests.support.app import client_of, running
from tests.support.commands import run
from tests.support.database import MAINTENANCE, settings_with

ADVICE = "create a database with ENCODING 'UTF8' TEMPLATE template0, and copy it with pg_dump"


async def warnings(read_log: ReadLog, url: URL, **database: object) -> list[tuple[str, str]]:
    """Return the server and the result in each warning that the check logs."""
    settings = settings_with(url, **database).database
    opened = Database.open(settings, "capacity")
    await log_server_warnings(opened, settings)
    await opened.close()
    lines = [line for line in read_log() if line["level"] == "warning"]
    return [(line["server"], line["result"]) for line in lines]


async def test_warning_contains_the_numbers(unpooled_url: URL, read_log: ReadLog) -> None:
    ((server, result),) = await warnings(
        read_log, unpooled_url, pooler="none", processes=1000, pool_size=8, max_overflow=2
    )
    # Ten connections for writes and ten for reads.
    assert server == "primary"
    assert "1000 x 20 = 20000 at most, the server allows" in result


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
    for (server, result), expected in zip((primary, second), ("primary", "replica"), strict=True):
        assert server == expected
        assert "1000 x 10 = 10000 at most, the server allows" in result


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
        assert "1 x 2000 = 2000 at most, the server allows" in capsys.readouterr().err


@pytest.fixture(params=["LATIN1", "SQL_ASCII"])
def encoded(request: pytest.FixtureRequest, unpooled_template: URL) -> Generator[URL]:
    """A database with this encoding, named after it."""
    name = f"test_{request.param}".lower()
    MAINTENANCE.execute(
        unpooled_template,
        f"CREATE DATABASE {name} ENCODING '{request.param}' TEMPLATE template0 "
        "LOCALE_PROVIDER libc LOCALE 'C'",
    )
    yield unpooled_template.set(database=name)
    MAINTENANCE.execute(unpooled_template, f"DROP DATABASE {name} WITH (FORCE)")


async def test_startup_warns_of_an_encoding_other_than_utf8(
    encoded: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(create_app(settings_with(encoded, pooler="none"))):
        output = capsys.readouterr().err
    assert f"{encoding_of(encoded)}, so the database cannot store every character" in output
    assert ADVICE in output


def test_doctor_warns_of_an_encoding_other_than_utf8(encoded: URL) -> None:
    result = run(encoded, "doctor", DATABASE_POOLER="none")
    assert f"warning  encoding: {encoding_of(encoded)}, so " in result.out
    assert ADVICE in result.out


def encoding_of(url: URL) -> str:
    return (url.database or "").removeprefix("test_").upper()


async def test_character_that_the_encoding_lacks_is_named_in_the_response(encoded: URL) -> None:
    app = create_app(settings_with(encoded, pooler="none"))

    @app.post("/kit/text")
    async def write(word: str, session: SessionDep) -> str | None:
        statement = select(cast(literal(word), Text))
        found: str | None = await session.scalar(statement)
        return found

    async with running(app), client_of(app) as client:
        response = await client.post("/kit/text", params={"word": "Ω"})
    if encoding_of(encoded) == "LATIN1":
        assert response.status_code == 422
        detail = "A value has a character that the database cannot store."
        assert response.json()["detail"] == detail
    else:
        # PostgreSQL stores the bytes, without a check.
        assert (response.status_code, response.json()) == (200, "Ω")
