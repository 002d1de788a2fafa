"""The `job` decorator gives a command its database, settings and transaction."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import pytest
import typer
from sqlalchemy import URL, func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from typer.testing import CliRunner, Result

from app.cli import SERVICE
from app.kit.cli.errors import USER_ERRORS, CommandFailed
from app.kit.cli.jobs import job
from app.kit.db.session import Database
from app.settings import Settings
from tests.conformance.features.notes.models import Note
from tests.conformance.features.test_schema_changes import migrate

Run = Callable[..., Result]
commands = typer.Typer(context_settings={"obj": SERVICE})


@commands.command("add-notes")
@job
async def add_notes(
    session: AsyncSession,
    title: str,
    settings: Settings,
    count: Annotated[int, typer.Option(min=1)] = 1,
    fail: bool = False,
) -> str:
    """Add notes."""
    session.add_all([Note(title=title) for _ in range(count)])
    await session.flush()
    if fail:
        raise CommandFailed("There is no room for more notes.")
    return f"{count} notes added, at {settings.database.pool_size} connections"


@commands.command("count-notes")
@job
async def count_notes(database: Database) -> str | None:
    """Count notes."""
    async with database.reading() as session:
        count = await session.scalar(select(func.count()).select_from(Note))
    return f"{count} notes" if count else None


@pytest.fixture
def run(own_database_url: URL, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the test's database."""
    url = own_database_url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_POOL_SIZE", "3")
    monkeypatch.setenv("DATABASE_STARTUP_TIMEOUT", "0")

    def invoke(*arguments: str) -> Result:
        # In a thread: the test already runs an event loop, and the command starts its own.
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(CliRunner().invoke, commands, arguments).result()

    return invoke


async def count_rows(url: URL) -> int:
    """Return the number of notes in a database."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        count = await connection.scalar(select(func.count()).select_from(Note))
    await engine.dispose()
    return count or 0


async def test_session_of_job_commits_at_its_end(run: Run, own_database_url: URL) -> None:
    assert run("count-notes").output == ""
    result = run("add-notes", "Hello", "--count", "2")
    assert (result.exit_code, result.output) == (0, "2 notes added, at 3 connections\n")
    assert await count_rows(own_database_url) == 2
    assert run("count-notes").output == "2 notes\n"


async def test_failed_job_is_rolled_back(run: Run, own_database_url: URL) -> None:
    result = run("add-notes", "Hello", "--fail")
    assert isinstance(result.exception, USER_ERRORS)
    assert await count_rows(own_database_url) == 0


async def test_job_reports_invalid_settings_and_unreachable_database(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_POOL_SIZE", "0")
    assert "DATABASE_POOL_SIZE: " in str(run("count-notes").exception)
    monkeypatch.setenv("DATABASE_POOL_SIZE", "1")
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/app")
    unreachable = run("count-notes").exception
    assert isinstance(unreachable, USER_ERRORS)
    assert "127.0.0.1:1 cannot be reached" in str(unreachable)


async def test_job_reports_pending_migration(run: Run, own_database_url: URL) -> None:
    statements = "ALTER TABLE conformance_notes RENAME TO elsewhere", "DELETE FROM alembic_version"
    await migrate(own_database_url, list(statements))
    pending = run("count-notes").exception
    assert isinstance(pending, USER_ERRORS)
    assert "The database is at migration none, the code at " in str(pending)


async def test_job_reports_missing_privilege(run: Run, own_database_url: URL) -> None:
    # A trigger raises the error of PostgreSQL, because the owner has all privileges.
    function = (
        "CREATE FUNCTION deny() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE insufficient_privilege USING MESSAGE = 'permission denied'; END $$"
    )
    trigger = "CREATE TRIGGER deny BEFORE INSERT ON conformance_notes EXECUTE FUNCTION deny()"
    await migrate(own_database_url, [function, trigger])
    forbidden = run("add-notes", "Hello").exception
    assert isinstance(forbidden, USER_ERRORS)
    assert "permission denied. Set DATABASE_URL to a role with" in str(forbidden)


async def test_job_reports_missing_migration(run: Run, own_database_url: URL) -> None:
    await migrate(own_database_url, ["ALTER TABLE conformance_notes RENAME TO elsewhere"])
    missing = run("count-notes").exception
    assert isinstance(missing, USER_ERRORS)
    assert "Table conformance_notes does not exist, and no migration is pending." in str(missing)


async def test_job_reports_missing_table_to_a_role_that_cannot_read_the_revision(
    run: Run, own_database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = "ALTER TABLE conformance_notes RENAME TO elsewhere"
    await migrate(own_database_url, [rename, "CREATE ROLE kit_unprivileged LOGIN"])
    url = own_database_url.set(username="kit_unprivileged")
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    try:
        missing = run("count-notes").exception
    finally:
        await migrate(own_database_url, ["DROP ROLE kit_unprivileged"])
    assert isinstance(missing, USER_ERRORS)
    assert '"conformance_notes" does not exist. The role may not read alembic_version.' in str(
        missing
    )


async def test_help_of_job_shows_only_its_options(run: Run) -> None:
    result = run("add-notes", "--help")
    assert "--count" in result.output
    assert "Add notes." in result.output
    assert "session" not in result.output.lower()
    assert "settings" not in result.output.lower()


async def test_invalid_option_of_job_is_rejected(run: Run) -> None:
    assert run("add-notes", "Hello", "--count", "0").exit_code == 2
