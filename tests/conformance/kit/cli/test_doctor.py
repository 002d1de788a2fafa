"""`doctor` checks everything that the service depends on, and reports what to do."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from app.about import NAME
from app.kit.cli import checks
from app.kit.cli.commands import doctor
from app.kit.db.base import utc_now
from app.kit.migrations.runner import CodeRevisions
from tests.conformance.support.migrations import add_revision, alembic_with
from tests.support.commands import CommandResult, run
from tests.support.database import settings_for

VALID_SETTINGS = {
    "DATABASE_POOLER": "none",
    "DATABASE_POOL_SIZE": "8",
    "DATABASE_MAX_OVERFLOW": "0",
}
# The test servers use trust authentication, and PgBouncer accepts any password.
SECRET = "hunter2"


def run_doctor(url: URL, **variables: str) -> CommandResult:
    """Run the doctor on a database; its output must not contain the password."""
    result = run(url.set(password=SECRET), "doctor", **VALID_SETTINGS | variables)
    assert SECRET not in result.out + result.err
    assert result.err == ""
    return result


def line_of(result: CommandResult, check: str) -> str:
    """Return the line about a check, together with the advice below it."""
    lines = result.out.splitlines()
    (index,) = [number for number, line in enumerate(lines) if re.match(rf"\w+ +{check}: ", line)]
    return " ".join(line.strip() for line in lines[index : index + 2])


def test_every_check_passes(unpooled_url: URL) -> None:
    result = run_doctor(unpooled_url)
    assert result.code == 0
    check = [line.split(maxsplit=2)[:2] for line in result.out.splitlines()]
    names = ("configuration", "database", "clock", "pooler", "revision", "extensions")
    assert check == [["ok", f"{name}:"] for name in (*names, "encoding", "connections")]


@pytest.mark.parametrize(
    ("applied", "heads", "status", "text"),
    [
        ((), "b", "failure", "the schema is at none, the code requires b"),
        ("a", "b", "failure", f"run `{NAME} migrate`"),
        ("b", "b", "ok", "b, as the code requires"),
        ("z", "b", "warning", "z, newer than the b of the code"),
        ("b", "bc", "failure", "alembic merge heads"),
    ],
)
def test_applied_migrations_are_compared_with_the_code(
    applied: str, heads: str, status: str, text: str
) -> None:
    code = CodeRevisions(frozenset(heads), frozenset("abc"))
    result = checks.check_revision(frozenset(applied), code, NAME)
    assert text in f"{result.result} {result.advice}"
    is_failure = isinstance(result, checks.Failure)
    assert (bool(result.advice), is_failure) == (status != "ok", status == "failure")


def test_unreachable_server_is_a_failure(unpooled_url: URL) -> None:
    result = run_doctor(unpooled_url.set(host="127.0.0.1", port=1, query={}))
    assert result.code == 1
    assert "failure" in line_of(result, "database")
    assert "127.0.0.1:1 cannot be reached: the connection was refused" in line_of(
        result, "database"
    )


def test_missing_database_is_a_failure(unpooled_url: URL) -> None:
    result = run_doctor(unpooled_url.set(database="kit_nothing"))
    assert result.code == 1
    assert line_of(result, "database").endswith("-> fix DATABASE_URL or DATABASE_PASSWORD")


def test_every_invalid_setting_is_a_failure(unpooled_url: URL) -> None:
    result = run_doctor(unpooled_url, DATABASE_POOL_SIZE="0", DATABASE_REPLICA_URL=f"x://{SECRET}")
    assert result.code == 1
    assert "failure  configuration: DATABASE_POOL_SIZE: " in result.out
    assert "failure  configuration: DATABASE_REPLICA_URL: " in result.out
    # Some Windows encodings contain no arrow.
    assert result.out.isascii()


def test_more_connections_than_allowed_are_a_warning(unpooled_url: URL) -> None:
    result = run_doctor(unpooled_url, DATABASE_PROCESSES="1000")
    assert result.code == 0
    assert "1000 x 16 = 16000 at most, the server allows" in line_of(result, "connections")
    assert "lower DATABASE_POOL_SIZE" in line_of(result, "connections")


def test_configured_but_missing_pooler_is_a_warning(unpooled_url: URL) -> None:
    result = run_doctor(unpooled_url, DATABASE_POOLER="pgbouncer", DATABASE_POOL_PRE_PING="false")
    assert result.code == 0
    assert "no pooler found, so each transaction opens a connection" in line_of(result, "pooler")


def test_undeclared_pooler_is_a_failure(unpooled_url: URL) -> None:
    settings = settings_for(unpooled_url).database
    direct = settings.model_copy(update={"pooler": "none"})
    pooled = settings.model_copy(update={"pooler": "pgbouncer"})
    assert checks.check_pooler(pooled, is_pooled=True).advice is None
    result = checks.check_pooler(direct, is_pooled=True)
    assert isinstance(result, checks.Failure)
    assert "DATABASE_POOLER=pgbouncer" in str(result.advice)


@pytest.mark.parametrize(
    ("seconds", "state", "code"),
    [(5, "warning", 0), (-5, "warning", 0), (90, "failure", 1)],
)
def test_clock_difference_is_reported(
    unpooled_url: URL, monkeypatch: pytest.MonkeyPatch, seconds: int, state: str, code: int
) -> None:
    # Shifts the clock of this host; the server's clock is unchanged.
    monkeypatch.setattr(doctor, "utc_now", lambda: utc_now() - timedelta(seconds=seconds))
    result = run_doctor(unpooled_url)
    assert result.code == code
    line = line_of(result, "clock")
    assert line.startswith(state)
    assert (
        f"{abs(seconds)}.0 s {'ahead of' if seconds > 0 else 'behind'} the clock of this machine"
        in line
    )


def test_replica_without_replication_is_a_failure(unpooled_url: URL) -> None:
    url = unpooled_url.render_as_string(hide_password=False)
    result = run_doctor(unpooled_url, DATABASE_REPLICA_URL=url, DATABASE_PROCESSES="1000")
    assert result.code == 1
    assert line_of(result, "replica").startswith("ok")
    assert line_of(result, "replication").startswith("failure")
    # With a replica, each server gets half of the connections.
    assert "1000 x 8 = 8000" in line_of(result, "connections of replica")


def test_unreachable_migration_database_is_a_failure(unpooled_url: URL) -> None:
    nowhere = f"postgresql://owner:{SECRET}@127.0.0.1:1/nowhere"
    result = run_doctor(unpooled_url, DATABASE_MIGRATION_URL=nowhere)
    assert result.code == 1
    assert "fix DATABASE_MIGRATION_URL" in line_of(result, "migrations")


def test_missing_extension_of_a_migration_is_a_failure(
    unpooled_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = alembic_with(tmp_path, settings_for(unpooled_url))

    monkeypatch.setattr(doctor, "script_directory", lambda: ScriptDirectory.from_config(config))
    create = "op.execute('CREATE EXTENSION IF NOT EXISTS plpgsql')"
    add_revision(config, tmp_path, "kit_there", create)
    assert "ok       extensions: plpgsql: all present" in run_doctor(unpooled_url).out
    add_revision(config, tmp_path, "kit_not", create.replace("plpgsql", "kit_nothing"))
    result = run_doctor(unpooled_url)
    assert line_of(result, "extensions").startswith("failure  extensions: the server does not have")
    assert f"run `{NAME} migrate`" in line_of(result, "revision")
    assert result.code == 1


def test_unavailable_extension_of_an_applied_migration_is_a_warning(
    unpooled_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = alembic_with(tmp_path, settings_for(unpooled_url))
    create = "op.execute('CREATE EXTENSION kit_nothing')"
    add_revision(config, tmp_path, "kit_old", create)
    add_revision(config, tmp_path, "kit_new", "pass")

    async def applied(_connection: AsyncConnection) -> frozenset[str]:
        return frozenset({"kit_new"})

    monkeypatch.setattr(doctor, "script_directory", lambda: ScriptDirectory.from_config(config))
    monkeypatch.setattr(doctor, "applied_revisions", applied)
    result = run_doctor(unpooled_url)
    assert line_of(result, "extensions").startswith("warning  extensions: the server does not have")
    assert result.code == 0
