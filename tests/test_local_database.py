"""The local database of development: every command uses it where no DATABASE_URL is set."""

import asyncio
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import asyncpg
import pytest
from sqlalchemy import URL

from tests.processes import UV, eventually, exists, free_port, open_directory, run, serving, succeed
from tests.rendering import Renderer
from tests.services import Start, address, new_database, postmaster

pytestmark = pytest.mark.slow

Run = Callable[..., CompletedProcess[str]]

MODELS = '''"""Pages to read."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import Record


class Bookmark(Record):
    """A page to read."""

    __tablename__ = "bookmarks"

    url: Mapped[str] = mapped_column(String(200))
'''
MARKER = "# ---- the template's end here, the imports of your features follow ----\n"
IMPORT = "from app.features.bookmarks import models as bookmarks  # noqa: F401\n"
REFUSED = "postgresql://app:s3cret@127.0.0.1:1/app"


@pytest.fixture(scope="module")
def installed(render: Renderer) -> Iterator[Path]:
    """The default service with its dependencies; never changed."""
    with open_directory() as place:
        render.into(place / "service")
        succeed(UV, "sync", "--quiet", cwd=place / "service")
        yield place / "service"


@pytest.fixture
def changeable(installed: Path) -> Iterator[Path]:
    """A service to change, with a local database; the dependencies are those of `installed`."""
    with open_directory() as place:
        service = place / "service"
        ignored = shutil.ignore_patterns(".venv", ".pgdata", "__pycache__")
        shutil.copytree(installed, service, ignore=ignored)
        yield service


@pytest.fixture
def command(installed: Path) -> Run:
    """Run a command of a service, by default the unchanged one: `command("migrate")`."""

    def of(*arguments: str, at: Path = installed, **variables: str) -> CompletedProcess[str]:
        # The environment has the package of `installed`: the source in `at` takes precedence.
        program = installed / ".venv/bin/my-service"
        return run(program, *arguments, cwd=at, PYTHONPATH=str(at / "src"), **variables)

    return of


def add_bookmarks(service: Path) -> None:
    """Add a feature with one table."""
    feature = service / "src/app/features/bookmarks"
    feature.mkdir()
    (feature / "__init__.py").touch()
    (feature / "models.py").write_text(MODELS)
    registry = service / "src/app/registry.py"
    text = registry.read_text()
    assert MARKER in text
    registry.write_text(text.replace(MARKER, MARKER + IMPORT))


def migration(service: Path) -> Path:
    """The migration that `revision` wrote."""
    [found] = service.glob("migrations/versions/*add_bookmarks.py")
    return found


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        ("migrate", "The database is up to date."),
        ("current", "0007 (head)"),
        ("history", "0006 -> 0007 (head) (current)"),
        ("check", "The models and the migrations agree."),
        ("db status", "Pending    none"),
        ("seed --amount 1", "profiles: "),
        ("deactivate-users --days 30", " users deactivated"),
        ("purge --days 30", "posts: 0 removed"),
    ],
)
def test_a_command_starts_and_stops_the_local_database(
    installed: Path, command: Run, arguments: str, output: str
) -> None:
    ended = command(*arguments.split())

    assert (ended.returncode, "Traceback" in ended.stdout) == (0, False), ended.stdout
    assert output in ended.stdout
    assert eventually(lambda: not list(installed.glob(".pgdata/*/postmaster.pid")))


def test_alembic_uses_the_local_database(installed: Path, command: Run) -> None:
    command("migrate")

    ended = succeed(installed / ".venv/bin/alembic", "current", cwd=installed)

    assert "0007 (head)" in ended.stdout


def test_downgrade_and_migrate_print_each_migration(changeable: Path, command: Run) -> None:
    assert "Running upgrade 0006 -> 0007" in command("migrate", at=changeable).stdout

    down = command("downgrade", "-1", at=changeable)
    assert "Running downgrade 0007 -> 0006" in down.stdout
    status = command("db", "status", at=changeable).stdout
    assert "Migration  0006" in status
    assert "Pending    1; apply with `my-service migrate`:\n           0007 " in status

    up = command("migrate", at=changeable)
    assert up.stdout.count("Running") == 1
    # A migration was reverted: the database is not new, and nothing else applies the migration.
    command("downgrade", "base", at=changeable)
    jobs = command("seed", at=changeable)
    assert (jobs.returncode, "`my-service migrate`" in jobs.stdout) == (2, True)


def test_a_command_of_a_team_creates_the_schema_of_a_new_database(
    changeable: Path, command: Run
) -> None:
    ended = command("delete-old-posts", "--days", "30", at=changeable)

    assert ended.returncode == 0, ended.stdout
    assert "0 posts deleted" in ended.stdout


@pytest.mark.parametrize("command_line", ["serve", "migrate --help"])
def test_serve_and_help_start_no_database(
    changeable: Path, command: Run, command_line: str
) -> None:
    ended = command(*command_line.split(), at=changeable)

    assert ended.returncode == (2 if command_line == "serve" else 0)
    assert not (changeable / ".pgdata").exists()


def test_dev_waits_for_the_developer_before_it_applies_a_migration(
    changeable: Path, installed: Path, command: Run, start: Start
) -> None:
    program = installed / ".venv/bin/my-service"
    # A package of its own, as the reloader starts processes in the changed service.
    server = start(changeable, "env", f"PYTHONPATH={changeable / 'src'}", program, "dev")
    add_bookmarks(changeable)
    written = command("revision", "-m", "add bookmarks", at=changeable)
    assert written.returncode == 0, written.stdout

    def detail() -> str:
        found: str = server.get("/health/ready").json().get("detail", "")
        return found

    server.until(lambda: "Apply the pending migrations" in detail(), 180, "it did not reload")
    assert "Apply the pending migrations with `my-service migrate`" in server.output
    # An edit reloads, and applies nothing either.
    path = migration(changeable)
    path.write_text(path.read_text() + "\n# edited\n")
    assert "Pending    1;" in command("db", "status", at=changeable).stdout
    assert "pending" in detail()

    applied = command("migrate", at=changeable)
    assert "add bookmarks" in applied.stdout
    server.until_ready(30)
    # The server goes on while another command that uses it ends.
    assert exists(postmaster(changeable))


def test_dev_applies_pending_migrations_on_request(
    changeable: Path, installed: Path, command: Run, start: Start
) -> None:
    command("migrate", at=changeable)
    command("downgrade", "-1", at=changeable)

    program = installed / ".venv/bin/my-service"
    server = start(
        changeable, "env", f"PYTHONPATH={changeable / 'src'}", program, "dev", "--migrate"
    )

    assert "Running upgrade 0006 -> 0007" in server.output


def test_an_edited_migration_leaves_no_difference(changeable: Path, command: Run) -> None:
    add_bookmarks(changeable)
    different = command("check", at=changeable)
    assert (different.returncode, "  create table bookmarks" in different.stdout) == (1, True)
    written = command("revision", "-m", "add bookmarks", at=changeable)
    path = migration(changeable)
    # Nothing but the file, the operations and the next step: no lint of the generated code.
    assert written.stdout.splitlines()[:2] == [
        str(path.relative_to(changeable)),
        "  create table bookmarks",
    ]
    assert "E501" not in written.stdout
    assert command("check", at=changeable).returncode == 0

    index = 'op.create_index("ix_bookmarks_url", "bookmarks", ["url"])'
    path.write_text(
        path.read_text().replace("\n\n\ndef downgrade", f"\n    {index}\n\n\ndef downgrade")
    )
    models = changeable / "src/app/features/bookmarks/models.py"
    models.write_text(models.read_text().replace("String(200))", "String(200), index=True)"))

    again = command("revision", "-m", "again", at=changeable)
    assert "no migration was written" in again.stdout, again.stdout
    assert command("migrate", at=changeable).returncode == 0


def test_long_generated_lines_are_no_lint_errors(
    changeable: Path, installed: Path, command: Run
) -> None:
    add_bookmarks(changeable)
    models = changeable / "src/app/features/bookmarks/models.py"
    long = ", ".join(f"'https://example.org/{number}'" for number in range(9))
    check = f'(CheckConstraint("url NOT IN ({long})", name="url_is_allowed"),)'
    table = f'__tablename__ = "bookmarks"\n    __table_args__ = {check}'
    text = models.read_text().replace('__tablename__ = "bookmarks"', table)
    models.write_text(text.replace("import String", "import CheckConstraint, String"))

    written = command("revision", "-m", "add bookmarks", at=changeable)

    assert written.stdout.splitlines()[1] == "  create table bookmarks", written.stdout
    ruff = installed / ".venv/bin/ruff"
    succeed(ruff, "check", migration(changeable), cwd=changeable)
    succeed(ruff, "format", "--check", migration(changeable), cwd=changeable)


@pytest.mark.parametrize("program", ["my-service", "fastapi"])
def test_dev_reports_an_unreachable_database_at_once(
    changeable: Path, installed: Path, tmp_path: Path, program: str
) -> None:
    expected = "The database at 127.0.0.1:1 cannot be reached: nothing listens there.\n"
    port = free_port()
    words = [installed / ".venv/bin" / program, "dev", "--port", str(port)]
    source = str(changeable / "src")
    with serving(
        *words,
        cwd=changeable,
        port=port,
        log=tmp_path / "log",
        DATABASE_URL=REFUSED,
        PYTHONPATH=source,
    ) as server:
        assert eventually(lambda: expected in server.output, 20), server.output
        if program == "my-service":
            assert server.process.wait(10) == 2
            assert server.output == expected
        assert "Traceback" not in server.output
        assert "s3cret" not in server.output


def test_dev_prints_its_addresses_once_it_serves(installed: Path, tmp_path: Path) -> None:
    port = free_port()
    service = installed / ".venv/bin/my-service"
    with serving(
        *(service, "dev", "--port", str(port)),
        cwd=installed,
        port=port,
        log=tmp_path / "log",
    ) as server:
        assert eventually(lambda: f"{server.url}/docs" in server.output, 60), server.output
        # Without another attempt.
        assert server.get("/health/live").is_success


def test_migrate_reports_what_it_waits_for(installed: Path, command: Run) -> None:
    ended = command("migrate", DATABASE_URL=REFUSED, DATABASE_STARTUP_TIMEOUT="1")

    assert ended.stdout.splitlines() == [
        "Waiting up to 1 seconds for the database at 127.0.0.1:1: nothing listens there.",
        "The database at 127.0.0.1:1 cannot be reached within 1 s: nothing listens there.",
    ]
    assert ended.returncode == 2


def test_the_url_of_the_running_database_is_for_other_programs(
    installed: Path, command: Run, start: Start
) -> None:
    start(installed, installed / ".venv/bin/my-service", "dev")

    url = next(line for line in command("db", "url").stdout.splitlines() if "://" in line)

    async def head() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval("SELECT version_num FROM alembic_version")
        finally:
            await connection.close()

    assert asyncio.run(head()) == "0007"
    selected = command("db", "psql", "-Atc", "SELECT 6 * 7")
    assert (selected.returncode, selected.stdout) == (0, "42\n")


def test_reset_deletes_the_local_database_only(changeable: Path, command: Run, server: URL) -> None:
    command("seed", "--amount", "5", at=changeable)
    count = ("db", "psql", "-Atc", "SELECT count(*) FROM posts")
    before = command(*count, at=changeable).stdout
    assert int(before) > 0

    # The answer of a person who presses Enter, or of no person at all.
    kept = command("db", "reset", at=changeable)
    assert (kept.returncode != 0, command(*count, at=changeable).stdout) == (True, before)

    reset = command("db", "reset", "--yes", at=changeable)
    assert reset.returncode == 0, reset.stdout
    assert command(*count, at=changeable).stdout == "0\n"
    assert "Pending    none" in command("db", "status", at=changeable).stdout

    elsewhere = address(new_database(server))
    refused = command("db", "reset", "--yes", at=changeable, DATABASE_URL=elsewhere)
    assert (refused.returncode, "DATABASE_URL is set" in refused.stdout) == (2, True)


def test_echo_logs_each_statement_of_a_request_once(installed: Path, tmp_path: Path) -> None:
    port = free_port()
    with serving(
        *(installed / ".venv/bin/my-service", "dev", "--port", str(port)),
        cwd=installed,
        port=port,
        log=tmp_path / "log",
        DATABASE_ECHO="true",
        LOG_FORMAT="json",
    ) as server:
        server.until_ready(60)
        assert server.get("/posts?q=echoed").is_success
        mine = re.compile(r"FROM posts")
        lines = [line for line in server.output.splitlines() if mine.search(line)]
        records = [json.loads(line) for line in lines]
        statements = [each["event"] for each in records]
        assert statements, server.output
        assert len(statements) == len(set(statements))
        assert len({each["request_id"] for each in records}) == 1
