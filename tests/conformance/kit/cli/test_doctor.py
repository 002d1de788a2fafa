"""`doctor` checks everything that the service depends on, and reports what to do."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.config import Config
from sqlalchemy import URL

from app.about import NAME
from app.kit.commands import doctor
from app.kit.db.base import now
from app.kit.db.schema_state import Revisions
from app.kit.diagnosis import schema, server
from app.kit.diagnosis.findings import State
from app.settings import Settings
from tests.conformance.support.revisions import add_revision, alembic_with
from tests.rig.commands import Ended, run
from tests.rig.database import settings_for

WELL = {"DATABASE_POOLER": "none", "DATABASE_POOL_SIZE": "8", "DATABASE_MAX_OVERFLOW": "0"}
# Servers of these tests trust whoever asks, and PgBouncer takes any password.
SECRET = "hunter2"


def examined(url: URL, **variables: str) -> Ended:
    """What the doctor says of a database, by the password of which it must not be known."""
    ended = run(url.set(password=SECRET), "doctor", **WELL | variables)
    assert SECRET not in ended.out + ended.err
    assert ended.err == ""
    return ended


def line_of(ended: Ended, about: str) -> str:
    """The line about something, and the advice below it."""
    lines = ended.out.splitlines()
    (index,) = [number for number, line in enumerate(lines) if re.match(rf"\w+ +{about}: ", line)]
    return " ".join(line.strip() for line in lines[index : index + 2])


def test_where_all_is_well_each_line_says_so(direct_url: URL) -> None:
    ended = examined(direct_url)
    assert ended.code == 0
    about = [line.split(maxsplit=2)[:2] for line in ended.out.splitlines()]
    names = ("configuration", "database", "clock", "pooler", "revision", "extensions")
    assert about == [["ok", f"{name}:"] for name in (*names, "connections")]


def test_a_schema_that_is_behind_is_a_failure() -> None:
    code = Revisions(frozenset({"a"}), frozenset({"a"}))
    found = schema.revision(set(), code, "it", "do")
    assert (found.state, found.advice) == (State.FAILURE, "do")
    assert found.found == "the schema is at none, the code requires a"


def test_a_newer_schema_is_a_warning_and_two_newest_revisions_are_a_failure() -> None:
    one = Revisions(frozenset({"b"}), frozenset({"a", "b"}))
    assert schema.revision({"c"}, one, "it", "").state is State.WARNING
    assert schema.revision({"b"}, one, "it", "").state is State.OK
    two = Revisions(frozenset({"b", "c"}), frozenset({"a", "b", "c"}))
    assert "alembic merge heads" in schema.revision({"b"}, two, "it", "").advice


def test_a_server_that_is_away_is_a_failure(direct_url: URL) -> None:
    ended = examined(direct_url.set(host="127.0.0.1", port=1, query={}))
    assert ended.code == 1
    assert "failure" in line_of(ended, "database")
    assert "127.0.0.1:1 cannot be reached: the connection was refused" in line_of(ended, "database")


def test_a_database_that_is_not_there_is_a_failure(direct_url: URL) -> None:
    ended = examined(direct_url.set(database="kit_nothing"))
    assert ended.code == 1
    assert "fix DATABASE_URL" in line_of(ended, "database")


def test_each_wrong_setting_is_a_failure(direct_url: URL) -> None:
    ended = examined(direct_url, DATABASE_POOL_SIZE="0", DATABASE_REPLICA_URL=f"x://{SECRET}")
    assert ended.code == 1
    assert "failure  configuration: DATABASE_POOL_SIZE: " in ended.out
    assert "failure  configuration: DATABASE_REPLICA_URL: " in ended.out
    # Where it is piped on Windows, there is no arrow.
    assert ended.out.isascii()


def test_more_connections_than_the_server_grants_are_a_warning(direct_url: URL) -> None:
    ended = examined(direct_url, DATABASE_PROCESSES="1000")
    assert ended.code == 0
    assert "1000 x 16 = 16000 at most, the server allows" in line_of(ended, "connections")
    assert "lower DATABASE_POOL_SIZE" in line_of(ended, "connections")


def test_a_pooler_that_is_not_there_is_a_warning(direct_url: URL) -> None:
    ended = examined(direct_url, DATABASE_POOLER="pgbouncer", DATABASE_POOL_PRE_PING="false")
    assert ended.code == 0
    assert "no pooler found, so each transaction opens a connection" in line_of(ended, "pooler")


def test_a_pooler_that_nobody_told_of_is_a_failure(direct_url: URL) -> None:
    settings = settings_for(direct_url).database
    direct = settings.model_copy(update={"pooler": "none"})
    pooled = settings.model_copy(update={"pooler": "pgbouncer"})
    found = server.pooler(direct, "database", pooled=True)
    assert (found.state, "DATABASE_POOLER=pgbouncer" in found.advice) == (State.FAILURE, True)
    assert server.pooler(pooled, "database", pooled=True).state is State.OK


@pytest.mark.parametrize(
    ("seconds", "state", "code"),
    [(5, "warning", 0), (-5, "warning", 0), (90, "failure", 1)],
)
def test_a_clock_that_differs_is_told_of(
    direct_url: URL, monkeypatch: pytest.MonkeyPatch, seconds: int, state: str, code: int
) -> None:
    # The clock of this host; that of the server is what it is.
    monkeypatch.setattr(server, "now", lambda: now() - timedelta(seconds=seconds))
    ended = examined(direct_url)
    assert ended.code == code
    line = line_of(ended, "clock")
    assert line.startswith(state)
    assert (
        f"{abs(seconds)}.0 s {'ahead of' if seconds > 0 else 'behind'} the clock of this machine"
        in line
    )


def test_a_replica_that_repeats_nothing_is_a_failure(direct_url: URL) -> None:
    there = direct_url.render_as_string(hide_password=False)
    ended = examined(direct_url, DATABASE_REPLICA_URL=there, DATABASE_PROCESSES="1000")
    assert ended.code == 1
    assert line_of(ended, "replica").startswith("ok")
    assert line_of(ended, "replication").startswith("failure")
    # With a replica each server has half of the connections.
    assert "1000 x 8 = 8000" in line_of(ended, "connections to replica")


def test_migrations_that_cannot_reach_their_database_are_a_failure(direct_url: URL) -> None:
    nowhere = f"postgresql://owner:{SECRET}@127.0.0.1:1/nowhere"
    ended = examined(direct_url, DATABASE_MIGRATION_URL=nowhere)
    assert ended.code == 1
    assert "fix DATABASE_MIGRATION_URL" in line_of(ended, "migrations")


def test_an_extension_that_a_revision_needs_is_looked_for(
    direct_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = alembic_with(tmp_path, settings_for(direct_url))

    def given(_settings: Settings) -> Config:
        return config

    monkeypatch.setattr(doctor, "alembic_config", given)
    create = "op.execute('CREATE EXTENSION IF NOT EXISTS plpgsql')"
    add_revision(config, tmp_path, "kit_there", create)
    assert "ok       extensions: plpgsql: all present" in examined(direct_url).out
    add_revision(config, tmp_path, "kit_not", create.replace("plpgsql", "kit_nothing"))
    ended = examined(direct_url)
    assert line_of(ended, "extensions").startswith("failure  extensions: the server does not have")
    assert f"run `{NAME} migrate`" in line_of(ended, "revision")
    assert ended.code == 1
