"""Commands use the local development database if DATABASE_URL is not set."""

import asyncio
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import URL

from tests.processes import (
    UV,
    Server,
    eventually,
    free_port,
    open_directory,
    process_exists,
    run,
    serving,
    succeed,
)
from tests.rendering import Renderer
from tests.services import Start, database_url, new_database, postmaster
from tests.terminal import terminal

pytestmark = pytest.mark.slow

# Returns the exit code and the output of each command line.
Commands = Callable[..., list[tuple[int, str]]]

MODELS = '''"""Pages to read."""

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import TimestampedModel

# Alembic writes it as one line that is longer than the formatter and the linter allow.
ALLOWED = ", ".join(f"'https://example.org/{number}'" for number in range(9))


class Bookmark(TimestampedModel):
    """A page to read."""

    __tablename__ = "bookmarks"
    __table_args__ = (CheckConstraint(f"url IN ({ALLOWED})", name="url_is_allowed"),)

    url: Mapped[str] = mapped_column(String(200))
'''
MARKER = "# ---- the template's end here, the imports of your features follow ----\n"
IMPORT = "from app.features.bookmarks import models as bookmarks  # noqa: F401\n"
UNREACHABLE_URL = "postgresql://app:s3cret@127.0.0.1:1/app"
# app.kit.migrations.lock.LOCK_KEY, the same in every release.
MIGRATION_LOCK = 7_203_685_477_580
# Runs several command lines in one process: the import of the service takes most of the time.
RUN_COMMAND_LINES = """
import shlex, sys
from app.cli import main
for line in sys.argv[1:]:
    sys.argv = ["my-service", *shlex.split(line)]
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code
    print(f"<{code}>", flush=True)
"""


@pytest.fixture(scope="module")
def installed(render: Renderer) -> Iterator[Path]:
    """The default service with its dependencies. Do not change it."""
    with open_directory() as directory:
        render.into(directory / "service")
        succeed(UV, "sync", "--quiet", cwd=directory / "service")
        yield directory / "service"


@pytest.fixture
def changeable(installed: Path) -> Iterator[Path]:
    """A service that the test may change; its dependencies are those of `installed`."""
    with open_directory() as directory:
        service = directory / "service"
        ignored = shutil.ignore_patterns(".venv", ".pgdata", "__pycache__")
        shutil.copytree(installed, service, ignore=ignored)
        yield service


@pytest.fixture
def commands(installed: Path) -> Commands:
    """Run command lines of a service, by default of `installed`: `commands("migrate")`."""

    def run_lines(*lines: str, at: Path = installed, **variables: str) -> list[tuple[int, str]]:
        words = (installed / ".venv/bin/python", "-c", RUN_COMMAND_LINES, *lines)
        output = run(*words, cwd=at, **import_path(at), **variables).stdout
        results = re.findall(r"(.*?)<(\d+)>\n", output, re.DOTALL)
        assert len(results) == len(lines), output
        return [(int(code), text) for text, code in results]

    return run_lines


@pytest.fixture(scope="module")
def dev(installed: Path) -> Iterator[Server]:
    """`my-service dev` of the service `installed`, with logged statements."""
    port = free_port()
    command = (installed / ".venv/bin/my-service", "dev", "--port", str(port))
    # The variable of the replica is for another database.
    variables = {"DATABASE_ECHO": "true", "LOG_FORMAT": "json"}
    variables |= {"DATABASE_REPLICA_URL": UNREACHABLE_URL}
    with (
        open_directory() as directory,
        serving(*command, cwd=installed, port=port, log=directory / "log", **variables) as server,
    ):
        server.wait_until_ready(60)
        yield server


def import_path(service: Path) -> dict[str, str]:
    """Return variables with which Python imports this service, not the installed one."""
    return {"PYTHONPATH": str(service / "src")}


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
    """Return the migration that `revision` wrote."""
    [found] = service.glob("migrations/versions/*add_bookmarks.py")
    return found


def test_commands_start_and_stop_the_local_database(installed: Path, commands: Commands) -> None:
    # The first command creates the database and its schema.
    expected = {
        "delete-old-posts --days 30": "0 posts deleted",
        "migrate": "The local database is up to date.",
        "current": "0008 (head)",
        "history": "0007 -> 0008 (head) (current)",
        "db status": "Pending    none",
        "seed --amount 1": "profiles: ",
        "deactivate-users --days 30": " users deactivated",
        "purge --days 30": "posts: 0 removed",
        "check": "The models and the migrations agree.",
    }

    for (line, output), (code, printed) in zip(expected.items(), commands(*expected), strict=True):
        assert code == 0, (line, printed)
        assert output in printed, line
    assert eventually(lambda: not list(installed.glob(".pgdata/*/postmaster.pid")))

    alembic = succeed(installed / ".venv/bin/alembic", "current", cwd=installed)
    assert "0008 (head)" in alembic.stdout


def test_serve_and_help_start_no_database(changeable: Path, commands: Commands) -> None:
    (serve_code, _), (help_code, _) = commands("serve", "migrate --help", at=changeable)

    assert (serve_code, help_code) == (2, 0)
    assert not (changeable / ".pgdata").exists()


def test_migrations_are_printed_and_applied_on_request(
    changeable: Path, installed: Path, commands: Commands, start: Start
) -> None:
    lines = ("migrate", "downgrade -1", "db status", "migrate", "downgrade base", "seed")
    printed = commands(*lines, at=changeable)

    up, down, status, again, _, seed = (output for _, output in printed)
    # A database without applied migrations is not new: only `migrate` applies them.
    assert [code for code, _ in printed] == [0, 0, 0, 0, 0, 2]
    assert "Running upgrade 0007 -> 0008" in up
    assert "Running downgrade 0008 -> 0007" in down
    assert "Migration  0007" in status
    assert "Pending    1; apply with `my-service migrate`:\n           0008 " in status
    assert again.count("Running") == 1
    assert "`my-service migrate`" in seed

    server = start(changeable, *command_of(installed, changeable), "dev", "--migrate")
    assert "Running upgrade 0007 -> 0008" in server.output


def command_of(installed: Path, service: Path) -> tuple[str | Path, ...]:
    """Return the command of a changed service, with variables that the reloader inherits."""
    variables = [f"{name}={value}" for name, value in import_path(service).items()]
    return ("env", *variables, installed / ".venv/bin/my-service")


def test_dev_does_not_apply_new_migration(
    changeable: Path, installed: Path, commands: Commands, start: Start
) -> None:
    server = start(changeable, *command_of(installed, changeable), "dev")
    add_bookmarks(changeable)
    [(code, written)] = commands("revision -m 'add bookmarks'", at=changeable)
    assert code == 0, written

    def detail() -> str:
        found: str = server.get("/health/ready").json().get("detail", "")
        return found

    server.until(
        lambda: "Apply the pending migrations" in detail(), 60, "the server did not reload"
    )
    assert "Apply the pending migrations with `my-service migrate`" in server.output
    # An edit of the migration reloads the server and applies nothing.
    path = migration(changeable)
    path.write_text(path.read_text() + "\n# edited\n")
    [(_, status)] = commands("db status", at=changeable)
    assert "Pending    1;" in status
    assert "pending" in detail()

    [(_, applied)] = commands("migrate", at=changeable)
    assert "add bookmarks" in applied
    server.wait_until_ready(30)
    # The database server keeps running after the other command ends.
    assert process_exists(postmaster(changeable))


def test_only_migrate_applies_revision(
    changeable: Path, installed: Path, commands: Commands
) -> None:
    add_bookmarks(changeable)
    lines = ("revision -m 'add bookmarks'", "db status", "check")
    (code, written), (_, status), (check_code, _) = commands(*lines, at=changeable)

    path = migration(changeable)
    # The output is the file, the operations and the next step, without lint errors.
    assert code == 0, written
    assert written.splitlines()[:2] == [
        str(path.relative_to(changeable)),
        "  create table bookmarks",
    ]
    assert "E501" not in written
    for check in (["check"], ["format", "--check"]):
        succeed(installed / ".venv/bin/ruff", *check, path, cwd=changeable)
    assert "Migration  0008" in status
    assert "Pending    1;" in status
    assert check_code == 0

    # An edit of the migration and of the models leaves no difference.
    index = 'op.create_index("ix_bookmarks_url", "bookmarks", ["url"])'
    path.write_text(
        path.read_text().replace("\n\n\ndef downgrade", f"\n    {index}\n\n\ndef downgrade")
    )
    models = changeable / "src/app/features/bookmarks/models.py"
    models.write_text(models.read_text().replace("String(200))", "String(200), index=True)"))
    (_, again), (code, applied) = commands("revision -m again", "migrate", at=changeable)
    assert "no migration was written" in again
    assert (code, applied.count("Running")) == (0, 1)

    # `check` lists a difference.
    models.write_text(models.read_text().replace(", index=True)", ")"))
    [(code, different)] = commands("check", at=changeable)
    assert (code, "  drop index ix_bookmarks_url" in different) == (1, True), different


@pytest.mark.parametrize("name", ["my-service", "fastapi"])
def test_dev_reports_unreachable_database(installed: Path, tmp_path: Path, name: str) -> None:
    expected = (
        "The database at 127.0.0.1:1 cannot be reached: the connection was refused. "
        "Check that it is running, and DATABASE_URL.\n"
    )
    port = free_port()
    words = (installed / ".venv/bin" / name, "dev", "--port", str(port))
    log = tmp_path / "log"
    with serving(*words, cwd=installed, port=port, log=log, DATABASE_URL=UNREACHABLE_URL) as server:
        assert eventually(lambda: expected in server.output, 20), server.output
        if name == "my-service":
            assert server.process.wait(10) == 2
            assert server.output == expected
        assert "Traceback" not in server.output
        assert "s3cret" not in server.output


def test_migrate_reports_what_it_waits_for(commands: Commands, server: URL) -> None:
    unreachable = {"DATABASE_URL": UNREACHABLE_URL, "DATABASE_STARTUP_TIMEOUT": "1"}

    [(code, printed)] = commands("migrate", **unreachable)

    assert printed == (
        "Waiting up to 1 seconds for the database at 127.0.0.1:1: the connection was refused.\n"
        "The database at 127.0.0.1:1 cannot be reached within 1 s: the connection was refused. "
        "Check that it is running, and DATABASE_URL.\n"
    )
    assert code == 2

    url = new_database(server)
    waits = {"DATABASE_URL": database_url(url), "DATABASE_MIGRATION_WAIT": "1"}

    async def migrate() -> list[tuple[int, str]]:
        connection = await asyncpg.connect(
            host=str(url.query["host"]), user=url.username, database=url.database
        )
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
            return await asyncio.to_thread(commands, "migrate", **waits)
        finally:
            await connection.close()

    [(code, printed)] = asyncio.run(migrate())

    waiting, failed = printed.splitlines()
    assert waiting.startswith("Waiting up to 1 seconds for another migration to finish: process ")
    assert failed.startswith("Another migration of this database is still running after 1 seconds:")
    assert code == 2


def test_reset_deletes_only_local_database(
    changeable: Path, installed: Path, commands: Commands, server: URL
) -> None:
    count = "db psql -Atc 'SELECT count(*) FROM posts'"
    # Without a terminal, the reset cannot be confirmed.
    (_, _), (_, before), (declined, _), (_, after) = commands(
        "seed --amount 5", count, "db reset", count, at=changeable
    )
    assert int(before) > 0
    assert (declined != 0, after) == (True, before)

    reset = (*command_of(installed, changeable), "db", "reset")
    with terminal(*reset, cwd=changeable) as prompt:
        prompt.answer("Delete everything in the local database? [y/N]: ")
        prompt.expect("Nothing was deleted.")
        assert prompt.wait() == 0
    with terminal(*reset, cwd=changeable) as prompt:
        prompt.answer("Delete everything in the local database? [y/N]: ", "y")
        prompt.expect("The local database is empty and up to date.")
        assert prompt.wait() == 0

    (_, empty), (_, status), (code, _) = commands(
        count, "db status", "db reset --yes", at=changeable
    )
    assert empty == "0\n"
    assert "Pending    none" in status
    assert code == 0
    remote_url = database_url(new_database(server))
    [(refused, message)] = commands("db reset --yes", at=changeable, DATABASE_URL=remote_url)
    assert (refused, "DATABASE_URL is set" in message) == (2, True)


def test_dev_prints_urls(dev: Server) -> None:
    urls = f"  Service   {dev.url}\n  API docs  {dev.url}/docs\n"
    # `dev` checks every 0.1 seconds whether the service accepts connections.
    assert eventually(lambda: urls in dev.output)


def test_db_url_and_psql_connect_to_running_database(dev: Server, commands: Commands) -> None:
    assert dev.process.poll() is None
    lines = ("db url", "db psql -Atc 'SELECT 6 * 7'", "db psql --version", "db status")
    (_, printed), (code, selected), (_, psql), (_, status) = commands(*lines)
    [url] = printed.splitlines()
    # The psql of the server's version, not an older one of the system.
    version = psql.partition(".")[0].removeprefix("psql (PostgreSQL) ")
    assert f"PostgreSQL {version}." in status

    async def head() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval("SELECT version_num FROM alembic_version")
        finally:
            await connection.close()

    assert asyncio.run(head()) == "0008"
    assert (code, selected) == (0, "42\n")


def test_db_url_of_stopping_database_names_remedy(changeable: Path, commands: Commands) -> None:
    for _ in range(2):
        [(code, printed)] = commands("db url", at=changeable)

        assert code == 0
        assert "postgresql://" in printed
        assert "Run `my-service dev`, then `my-service db url` again" in printed


def test_echo_logs_each_statement_once(dev: Server) -> None:
    assert dev.get("/posts?q=echoed").is_success

    lines = [line for line in dev.output.splitlines() if re.search(r"FROM posts", line)]
    records = [json.loads(line) for line in lines]
    statements = [each["event"] for each in records]
    assert statements, dev.output
    assert len(statements) == len(set(statements))
    assert len({each["request_id"] for each in records}) == 1
    logged = [line for line in dev.output.splitlines() if line.startswith("{")]
    assert not [line for line in logged if "parameters hidden" in line]
