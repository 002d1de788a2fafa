"""Commands: documentation, exit codes, error messages and shell completion."""

import json
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run as run_process
from typing import Any

import pytest
import typer
from sqlalchemy import URL, make_url, text

from app.about import NAME
from app.cli import SERVICE, cli, main
from app.kit.cli.commands import db
from app.kit.cli.commands.routes import routes_of
from app.kit.db.engine import build_migration_engine
from app.kit.migrations.runner import PROJECT_ROOT
from app.registry import COMMANDS
from tests.support.commands import environment, run
from tests.support.database import settings_for

NOWHERE = make_url("postgresql://somebody:hunter2@127.0.0.1:1/nowhere")
# Prevents the lookup in .env, which is for development.
NO_WAIT = {"DATABASE_STARTUP_TIMEOUT": "0"}
ROW = re.compile(r"^\| `([\w-]+)` \| (of the example)?.+ \|([^|]*)\|$", re.MULTILINE)


def documented_commands() -> dict[str, set[str]]:
    """Return the commands of docs/cli.md with their options, without those of a removed example."""
    page = (PROJECT_ROOT / "docs/cli.md").read_text()
    table = page.partition("| command |")[2].partition("\n\n")[0]
    has_example = (PROJECT_ROOT / "src/app/example/jobs.py").is_file()
    return {
        name: {*re.findall(r"`(--[\w-]+)`", options)}
        for name, of_the_example, options in ROW.findall(table)
        if has_example or not of_the_example
    }


def registered_commands(commands: typer.Typer) -> dict[str, set[str]]:
    """Return the registered commands with their options."""
    group: Any = typer.main.get_group(commands)
    return {
        name: {
            max(parameter.opts, key=len)
            for parameter in command.params
            if parameter.param_type_name == "option" and parameter.name != "help"
        }
        for name, command in group.commands.items()
        if not command.hidden
    }


def team_commands() -> set[str]:
    """Return the team's own commands, which docs/cli.md need not contain."""
    own_commands = {
        command.callback.__name__ for command in cli.registered_commands if command.callback
    }
    return (own_commands - {"migrate"}) | {
        name
        for commands in COMMANDS
        for command in commands.registered_commands
        if command.callback and command.callback.__module__.startswith("app.features.")
        for name in [command.name or command.callback.__name__.replace("_", "-")]
    }


def test_cli_page_documents_every_command_with_its_options() -> None:
    expected = {
        name: options
        for name, options in registered_commands(cli).items()
        if name not in team_commands()
    }
    assert documented_commands() == expected, "document it in docs/cli.md"


def test_every_command_has_a_help_text() -> None:
    output = run(None, "--help").out
    for name in registered_commands(cli):
        assert re.search(rf"\b{name} +\w+", output), f"{name} has no help text"


def test_unreachable_database_exits_with_2_and_a_message() -> None:
    result = run(NOWHERE, "migrate", **NO_WAIT)
    assert result.code == 2
    assert result.err == (
        "The database at 127.0.0.1:1 cannot be reached: the connection was refused. "
        "Check that it is running, and DATABASE_URL.\n"
    )


@pytest.mark.parametrize("command", ["migrate", "routes", "serve"])
def test_invalid_setting_is_reported_and_exits_with_2(command: str) -> None:
    result = run(NOWHERE, command, DATABASE_POOL_SIZE="hunter2")
    assert result.code == 2
    assert "DATABASE_POOL_SIZE: " in result.err
    assert "hunter2" not in result.err


@pytest.mark.parametrize("command", ["dev", "serve"])
def test_port_in_use_exits_with_2_and_a_message(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        result = run(NOWHERE, command, "--port", port)
    assert (result.code, result.out) == (2, "")
    assert f"port {port} of 127.0.0.1" in result.err
    assert "--port" in result.err


def test_metrics_port_in_use_exits_with_2_and_a_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        metrics_port = str(listener.getsockname()[1])
        result = run(NOWHERE, "serve", "--port", port, METRICS_PORT=metrics_port)
    assert (result.code, result.out) == (2, "")
    assert f"port {metrics_port} of 127.0.0.1" in result.err
    assert "METRICS_PORT" in result.err


@pytest.mark.parametrize("arguments", [["nothing"], ["serve", "--port", "x"], ["revision"]])
def test_invalid_argument_exits_with_2(arguments: list[str]) -> None:
    assert run(NOWHERE, *arguments).code == 2


def test_unknown_revision_exits_with_2_and_a_message(own_database_url: URL) -> None:
    result = run(own_database_url, "migrate", "kit_nowhere")
    assert (result.code, "kit_nowhere" in result.err) == (2, True)
    assert "Traceback" not in result.err


async def test_migrate_accepts_a_newer_database_and_others_report_it(own_database_url: URL) -> None:
    engine = build_migration_engine(settings_for(own_database_url).database, "test")
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM alembic_version"))
        await connection.execute(text("INSERT INTO alembic_version VALUES ('kit_newer')"))
    await engine.dispose()
    result = run(own_database_url, "migrate")
    assert (result.code, result.out) == (0, "")
    assert "'kit_newer'. The database is newer than the code: nothing was applied." in result.err
    assert run(own_database_url, "migrate", "kit_nowhere").code == 2

    message = "The database is at kit_newer, which the code does not have. Use the release "
    for arguments in ("current",), ("downgrade", "-1"), ("check",), ("revision", "-m", "a thing"):
        result = run(own_database_url, *arguments)
        assert (result.code, result.out) == (2, ""), arguments
        assert result.err.startswith(message), arguments
    assert message in run(own_database_url, "db", "status").out
    assert run(own_database_url, "history").code == 0


async def test_db_reset_reports_why_it_failed(
    own_database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Reset the database of this test, in place of the local one.
    monkeypatch.setattr(db, "configured_database_url", lambda: None)
    engine = build_migration_engine(settings_for(own_database_url).database, "test")
    async with engine.connect() as other:
        await other.execute(text("SELECT FROM alembic_version"))
        used = run(own_database_url, "db", "reset", "--yes", DATABASE_LOCK_TIMEOUT="0.1")
    await engine.dispose()
    assert (used.code, used.out) == (2, "")
    assert "canceling statement due to lock timeout. Another session uses it" in used.err

    monkeypatch.setattr(db, "_DELETE_EVERYTHING", text("SELECT 1 / 0"))
    failed = run(own_database_url, "db", "reset", "--yes")
    assert failed.err == "The local database could not be reset: division by zero.\n"


def test_routes_are_listed_without_a_database() -> None:
    expected = [*routes_of(SERVICE.application())]
    lines = run(NOWHERE, "routes").out.splitlines()
    assert len(lines) == len(expected) + 1
    assert re.search(
        r"^GET +/health/live +live +app\.kit\.observability\.health$",
        "\n".join(lines),
        re.MULTILINE,
    )
    listed = json.loads(run(NOWHERE, "routes", "--json").out)
    assert len(listed) == len(expected)
    health = {"path": "/health/ready", "methods": ["GET"]}
    assert health | {"name": "ready", "module": "app.kit.observability.health"} in listed


@pytest.fixture
def bash(tmp_path: Path) -> Callable[[str], str]:
    """Run a script in bash as a new user, with the service's command on the PATH."""
    # The script that an installer creates for [project.scripts].
    script = tmp_path / NAME
    script.write_text(f"#!{sys.executable}\nfrom app.cli import main\nmain()\n")
    script.chmod(0o755)
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    def run_script(script_text: str) -> str:
        # A last command keeps bash alive: it would replace itself with a single command, and Typer
        # could not detect the shell.
        command = ["bash", "-c", f"{script_text}; :"]
        return run_process(
            command, capture_output=True, text=True, env=environment, check=True
        ).stdout

    return run_script


def test_installed_completion_works_in_later_shells(bash: Callable[[str], str]) -> None:
    bash("echo 'mine=kept' > ~/.bashrc")
    shown = bash(f"{NAME} --show-completion; {NAME} --install-completion")
    registered = f"complete -o default -F _{NAME.replace('-', '_')}_completion {NAME}"
    assert registered in shown
    # An interactive shell reads .bashrc; Tab then calls the registered completion function.
    function = f"$(complete -p {NAME} | grep -o '_[^ ]*_completion')"
    pressed = f"COMP_WORDS=({NAME} diagra) COMP_CWORD=1; {function} {NAME}"
    assert bash(f"source ~/.bashrc; {pressed}; echo $mine ${{COMPREPLY[@]}}") == "kept diagram\n"


def test_psql_reads_the_password_from_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    psql = tmp_path / "psql"
    psql.write_text('#!/bin/sh\necho "$1 $PGPASSWORD"\n')
    psql.chmod(0o755)
    monkeypatch.setattr("sys.argv", [NAME, "db", "psql"])
    url = make_url("postgresql://app:word@db.example:5432/app")
    # Not `run`, which uses a thread: only the main thread can handle signals.
    with (
        environment(url, PATH=f"{tmp_path}:{os.environ['PATH']}"),
        pytest.raises(SystemExit) as end,
    ):
        main()
    assert end.value.code == 0
    assert capfd.readouterr().out == "postgresql://app@db.example:5432/app word\n"
