"""Migrations run one at a time, and give up instead of blocking the service."""

import asyncio
import os
import sys
from collections.abc import Generator
from pathlib import Path
from subprocess import run as run_process

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, text

from app.kit.db.engine import build_migration_engine
from app.kit.migrations.lock import MigrationBlocked, MigrationFailed, migration_lock
from tests.conformance.support.migrations import add_revision, alembic_with
from tests.support.database import empty, settings_with

# Each migration runs in its own process, like ten replicas that start at the same time.
PROGRAM = """
import os
import sys
from pathlib import Path
from alembic import command
from sqlalchemy import make_url
import app.registry
from tests.support.database import settings_for
from tests.conformance.support.migrations import alembic_with
config = alembic_with(Path(sys.argv[1]), settings_for(make_url(sys.argv[2])))
replicas = range(int(sys.argv[3]))
# Forked, because the imports take most of the time. A child gets 0 and starts no others.
if all(os.fork() for _ in replicas):
    sys.exit(any([os.wait()[1] for _ in replicas]))
command.upgrade(config, "heads")
"""


def run(url: URL, *statements: str) -> list[object]:
    """Run each statement in its own transaction; return the first column of the last result."""

    async def execute() -> list[object]:
        engine = build_migration_engine(settings_with(url).database, "test")
        found: list[object] = []
        async with engine.connect() as connection:
            for statement in statements:
                result = await connection.execute(text(statement))
                found = list(result.scalars()) if result.returns_rows else []
                await connection.commit()
        await engine.dispose()
        return found

    return asyncio.run(execute())


def migrate_concurrently(number: int, url: URL, folder: Path) -> None:
    """Migrate in this many concurrent processes; fail with their output if one of them fails."""
    rendered = url.render_as_string(hide_password=False)
    ended = run_process(
        [sys.executable, "-c", PROGRAM, str(folder), rendered, str(number)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.fixture
def empty_url(unpooled_template: URL) -> Generator[URL]:
    """A database without a schema or pooler; a pooler prevents concurrent index builds."""
    with empty(unpooled_template) as url:
        yield url


@pytest.fixture
def config(own_database_url: URL, tmp_path: Path) -> Config:
    """An Alembic configuration with short timeouts, on a migrated database with one more table."""
    run(own_database_url, "CREATE TABLE kit_t (a int)", "INSERT INTO kit_t VALUES (1)")
    changes = {"migration_wait": 0.3, "lock_timeout": 0.05}
    return alembic_with(tmp_path, settings_with(own_database_url, **changes))


def columns(url: URL) -> list[object]:
    """Return the columns of the table."""
    return run(
        url,
        "SELECT attname FROM pg_attribute WHERE attrelid = 'kit_t'::regclass AND attnum > 0"
        " AND NOT attisdropped ORDER BY 1",
    )


def test_concurrent_replicas_apply_each_migration_once(
    empty_url: URL, tmp_path: Path, full_scale: bool
) -> None:
    config = alembic_with(tmp_path, settings_with(empty_url))
    # This migration would succeed every time it runs.
    run(empty_url, "CREATE TABLE kit_applied (revision text)")
    for name in ("kit_1", "kit_2", "kit_3"):
        applied = f"op.execute(\"INSERT INTO kit_applied VALUES ('{name}')\")"
        add_revision(config, tmp_path, name, applied, "op.execute('SELECT pg_sleep(0.05)')")
    migrate_concurrently(10 if full_scale else 3, empty_url, tmp_path)
    assert run(empty_url, "SELECT revision FROM kit_applied") == ["kit_1", "kit_2", "kit_3"]
    heads = ScriptDirectory.from_config(config).get_heads()
    assert run(empty_url, "SELECT version_num FROM alembic_version") == heads


async def test_migration_lock_timeout_names_the_other_process(config: Config) -> None:
    settings = config.attributes["settings"].database
    engine = build_migration_engine(settings, "other")
    async with migration_lock(engine, settings):
        with pytest.raises(MigrationBlocked, match=r"after 0.3 seconds: process \d+ \(.*migrate"):
            await asyncio.to_thread(command.upgrade, config, "heads")
        # Reading the current revision needs no lock.
        await asyncio.to_thread(command.current, config)
    await engine.dispose()


async def test_lock_timeout_rolls_back_and_is_retried(config: Config, tmp_path: Path) -> None:
    url = config.attributes["settings"].database.sqlalchemy_url
    add_revision(config, tmp_path, "kit_1", "op.add_column('kit_t', sa.Column('b', sa.Integer()))")
    add_revision(
        config,
        tmp_path,
        "kit_2",
        "op.execute('CREATE TABLE kit_half (a int)')",
        "op.execute('LOCK TABLE kit_held')",
    )
    await asyncio.to_thread(run, url, "CREATE TABLE kit_held (a int)")
    engine = build_migration_engine(config.attributes["settings"].database, "busy")
    async with engine.connect() as busy:
        await busy.execute(text("SELECT * FROM kit_held"))
        with pytest.raises(MigrationBlocked, match="DATABASE_LOCK_TIMEOUT"):
            await asyncio.to_thread(command.upgrade, config, "heads")
    assert await asyncio.to_thread(columns, url) == ["a", "b"]
    assert await asyncio.to_thread(run, url, "SELECT to_regclass('kit_half')::text") == [None]

    async with engine.connect() as busy:
        await busy.execute(text("SELECT * FROM kit_held"))
        second = asyncio.create_task(asyncio.to_thread(command.upgrade, config, "heads"))
        await asyncio.sleep(0.07)
    # The blocking transaction ends between two attempts.
    await second
    await engine.dispose()
    assert await asyncio.to_thread(run, url, "SELECT count(*) FROM kit_half") == [0]


def test_concurrent_index_build_while_another_migration_waits(
    unpooled_url: URL, tmp_path: Path
) -> None:
    # Outside a transaction, a pooler may send the messages of one statement to two connections.
    url = unpooled_url
    run(url, "CREATE TABLE kit_t (a int)")
    config = alembic_with(tmp_path, settings_with(url))
    create = "op.create_index('ix_kit_t', 'kit_t', ['a'], postgresql_concurrently=True)"
    # The second process waits for the migration lock while the first one builds the index.
    body = "with outside_transaction():", "    op.execute('SELECT pg_sleep(0.5)')", f"    {create}"
    add_revision(config, tmp_path, "kit_1", *body)

    migrate_concurrently(2, url, tmp_path)
    built = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_kit_t'::regclass"
    assert run(url, built) == [True]


def test_failed_migration_keeps_the_previous_one(config: Config, tmp_path: Path) -> None:
    url = config.attributes["settings"].database.sqlalchemy_url
    add_revision(config, tmp_path, "kit_1", "op.add_column('kit_t', sa.Column('b', sa.Integer()))")
    add_revision(
        config,
        tmp_path,
        "kit_2",
        "op.add_column('kit_t', sa.Column('c', sa.Integer()))",
        r"op.execute('SELECT 1 / 0' + ',\n1' * 20)",
    )
    with pytest.raises(
        MigrationFailed, match=r"rejected a statement: division by zero\nSELECT"
    ) as e:
        command.upgrade(config, "heads")
    assert str(e.value).splitlines()[-2:] == ["1,", "…"]
    assert columns(url) == ["a", "b"]
    assert run(url, "SELECT version_num FROM alembic_version") == ["kit_1"]


END_LOCK_CONNECTION = (
    "op.execute(\"SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
    ' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")'
)


def test_lost_lock_is_reported_after_the_migration(
    config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = config.attributes["settings"].database.sqlalchemy_url
    add_revision(config, tmp_path, "kit_1", END_LOCK_CONNECTION)
    command.upgrade(config, "heads")
    assert "The connection that holds the migration lock was lost." in caplog.text
    assert run(url, "SELECT version_num FROM alembic_version") == ["kit_1"]


def test_lost_lock_does_not_hide_why_a_migration_failed(config: Config, tmp_path: Path) -> None:
    add_revision(config, tmp_path, "kit_1", END_LOCK_CONNECTION, "op.execute('SELECT 1 / 0')")
    with pytest.raises(MigrationFailed, match="division by zero"):
        command.upgrade(config, "heads")
