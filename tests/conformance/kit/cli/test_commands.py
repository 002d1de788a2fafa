"""The commands: what they are told of, how they end, and how a shell completes them."""

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
from sqlalchemy import URL, make_url

from app.about import NAME
from app.cli import SERVICE, cli
from app.kit.commands.routes import routes_of
from app.kit.db.migrate import PROJECT_ROOT
from app.registry import COMMANDS
from tests.rig.commands import run

NOWHERE = make_url("postgresql://somebody:hunter2@127.0.0.1:1/nowhere")
# One that is not found in .env either: that is for development.
NO_DATABASE = {"DATABASE_STARTUP_TIMEOUT": "0"}
ROW = re.compile(r"^\| `([\w-]+)` \| (of the example)?.+ \|([^|]*)\|$", re.MULTILINE)


def told() -> dict[str, set[str]]:
    """The commands of docs/cli.md, each with its options, but for an example that is gone."""
    page = (PROJECT_ROOT / "docs/cli.md").read_text()
    has_example = (PROJECT_ROOT / "src/app/example/jobs.py").is_file()
    return {
        name: {*re.findall(r"`(--[\w-]+)`", options)}
        for name, of_the_example, options in ROW.findall(page)
        if has_example or not of_the_example
    }


def there_are(commands: typer.Typer) -> dict[str, set[str]]:
    """The commands that there are, each with its options."""
    group: Any = typer.main.get_group(commands)
    return {
        name: {
            max(parameter.opts, key=len)
            for parameter in command.params
            if parameter.param_type_name == "option" and parameter.name != "help"
        }
        for name, command in group.commands.items()
    }


def of_the_team() -> set[str]:
    """The commands that the team brought, which the page need not know."""
    beside = {command.callback.__name__ for command in cli.registered_commands if command.callback}
    return (beside - {"migrate"}) | {
        name
        for commands in COMMANDS
        for command in commands.registered_commands
        if command.callback and command.callback.__module__.startswith("app.features.")
        for name in [command.name or command.callback.__name__.replace("_", "-")]
    }


def test_the_page_tells_of_every_command_with_its_options() -> None:
    expected = {name: has for name, has in there_are(cli).items() if name not in of_the_team()}
    assert told() == expected, "say it in docs/cli.md"


def test_each_command_says_what_it_does() -> None:
    said = run(None, "--help").out
    for name in there_are(cli):
        assert re.search(rf"\b{name} +\w+", said), f"{name} has no docstring"


def test_a_database_that_is_away_is_a_sentence_and_code_2() -> None:
    ended = run(NOWHERE, "migrate", **NO_DATABASE)
    assert ended.code == 2
    message = "The database at 127.0.0.1:1 cannot be reached: the connection was refused.\n"
    assert ended.err == message


@pytest.mark.parametrize("command", ["migrate", "routes", "serve"])
def test_a_wrong_setting_is_named_and_code_2(command: str) -> None:
    ended = run(NOWHERE, command, DATABASE_POOL_SIZE="hunter2")
    assert ended.code == 2
    assert "DATABASE_POOL_SIZE: " in ended.err
    assert "hunter2" not in ended.err


@pytest.mark.parametrize("command", ["dev", "serve"])
def test_a_port_that_is_in_use_is_a_sentence_and_code_2(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(NOWHERE, command, "--port", port)
    assert (ended.code, ended.out) == (2, "")
    assert f"port {port} of 127.0.0.1" in ended.err
    assert "--port" in ended.err


@pytest.mark.parametrize("arguments", [["nothing"], ["serve", "--port", "x"], ["revision"]])
def test_a_wrong_argument_is_code_2(arguments: list[str]) -> None:
    assert run(NOWHERE, *arguments).code == 2


def test_a_revision_that_is_not_there_is_a_sentence_and_code_2(own_database_url: URL) -> None:
    ended = run(own_database_url, "migrate", "kit_nowhere")
    assert (ended.code, "kit_nowhere" in ended.err) == (2, True)
    assert "Traceback" not in ended.err


def test_the_routes_are_listed_without_a_database() -> None:
    expected = [*routes_of(SERVICE.application())]
    lines = run(NOWHERE, "routes").out.splitlines()
    assert len(lines) == len(expected) + 1
    assert re.search(r"^GET +/health/live +live +app\.kit\.health$", "\n".join(lines), re.MULTILINE)
    listed = json.loads(run(NOWHERE, "routes", "--json").out)
    assert len(listed) == len(expected)
    health = {"path": "/health/ready", "methods": ["GET"]}
    assert health | {"name": "ready", "module": "app.kit.health"} in listed


@pytest.fixture
def bash(tmp_path: Path) -> Callable[[str], str]:
    """What a shell prints, in which the service is installed, of a user who has nothing yet."""
    # As an installer writes it for [project.scripts].
    script = tmp_path / NAME
    script.write_text(f"#!{sys.executable}\nfrom app.cli import main\nmain()\n")
    script.chmod(0o755)
    given = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    def printed(asked: str) -> str:
        # The last command is another one, or the shell would give way to it and not be found.
        command = ["bash", "-c", f"{asked}; :"]
        return run_process(command, capture_output=True, text=True, env=given, check=True).stdout

    return printed


def test_a_shell_is_told_how_to_complete_the_commands(bash: Callable[[str], str]) -> None:
    variable = f"_{NAME.replace('-', '_').upper()}_COMPLETE"
    # What the shell asks when somebody presses the tabulator.
    words = f"COMP_WORDS='{NAME} docto' COMP_CWORD=1"
    said = bash(f"{NAME} --show-completion; {variable}=complete_bash {words} {NAME}")
    function = f"_{NAME.replace('-', '_')}_completion"
    assert f"complete -o default -F {function} {NAME}" in said
    assert said.splitlines()[-1] == "doctor"


def test_once_installed_each_later_shell_completes(bash: Callable[[str], str]) -> None:
    bash("echo 'mine=kept' > ~/.bashrc")
    bash(f"{NAME} --install-completion")
    # A shell that somebody opens reads .bashrc; the tabulator then calls what is registered there.
    function = f"$(complete -p {NAME} | grep -o '_[^ ]*_completion')"
    pressed = f"COMP_WORDS=({NAME} diagra) COMP_CWORD=1; {function} {NAME}"
    assert bash(f"source ~/.bashrc; {pressed}; echo $mine ${{COMPREPLY[@]}}") == "kept diagram\n"
