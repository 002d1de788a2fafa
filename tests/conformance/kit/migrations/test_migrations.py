"""Connection, timeouts and logging of migrations, and the file of a new one."""

import logging
import re
import sys
from pathlib import Path
from subprocess import run

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, NullPool, text

from app.kit.db.engine import build_migration_engine
from app.kit.migrations.runner import alembic_config
from tests.conformance.support.migrations import add_revision, alembic_with
from tests.support.database import settings_for, settings_with


@pytest.fixture
def config(own_database_url: URL) -> Config:
    """An Alembic configuration for a separate, migrated database."""
    return alembic_config(settings_for(own_database_url))


def test_percent_sign_in_password_is_kept(config: Config) -> None:
    settings = config.attributes["settings"]
    url = settings.database.sqlalchemy_url.set(password="100%s")
    command.current(alembic_config(settings_for(url)))


async def test_migration_uses_a_given_connection(own_database_url: URL) -> None:
    settings = settings_for(own_database_url)
    config = alembic_config(settings)

    def upgrade(connection: Connection) -> None:
        config.attributes["connection"] = connection
        # An event loop is running, so the migration could not start its own.
        command.upgrade(config, "heads")

    engine = build_migration_engine(settings.database, "test")
    async with engine.connect() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()


async def test_migrations_use_no_pool_and_no_statement_timeout(unpooled_url: URL) -> None:
    settings = settings_with(unpooled_url, lock_timeout=0.5, pooler="none").database
    engine = build_migration_engine(settings, "test")
    assert isinstance(engine.pool, NullPool)
    limits = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
    async with engine.connect() as connection:
        assert tuple((await connection.execute(text(limits))).one()) == ("500ms", "0")
    await engine.dispose()


async def test_migrations_behind_a_pooler_have_the_same_timeouts(own_database_url: URL) -> None:
    settings = settings_with(own_database_url, lock_timeout=0.5, pooler="pgbouncer").database
    engine = build_migration_engine(settings, "test")
    limits = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
    async with engine.connect() as connection:
        assert tuple((await connection.execute(text(limits))).one()) == ("500ms", "0")
    await engine.dispose()


def test_migrations_use_migration_url(unpooled_url: URL) -> None:
    migration_url = settings_for(unpooled_url).database.url
    unreachable = unpooled_url.set(host="127.0.0.1", port=1, query={})
    settings = settings_with(unreachable, migration_url=migration_url, password="another's")
    command.upgrade(alembic_config(settings), "heads")


def test_migration_does_not_change_logging(config: Config) -> None:
    logger, root = logging.getLogger("app.features.of_a_team"), logging.getLogger()
    before = (root.handlers[:], root.level)
    command.downgrade(config, "base")
    command.upgrade(config, "heads")
    assert not logger.disabled
    assert (root.handlers, root.level) == before


def test_new_migration_has_dated_name_and_is_formatted(config: Config, tmp_path: Path) -> None:
    config = alembic_with(tmp_path, config.attributes["settings"])
    add_revision(config, tmp_path, "kit_first", "pass")
    command.revision(config, "add a thing", version_path=str(tmp_path))
    (path,) = tmp_path.glob("*_add_a_thing.py")
    assert re.fullmatch(r"\d{4}_\d\d_\d\d_[0-9a-f]+_add_a_thing", path.stem)
    for check in (["format", "--check"], ["check", "--ignore", "D1"]):
        assert run([sys.executable, "-m", "ruff", *check, path], check=False).returncode == 0
