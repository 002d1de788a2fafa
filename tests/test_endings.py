"""How a service ends, and how it refuses to start: nothing is left running or made up."""

import os
import signal
from pathlib import Path

import pytest

from tests.processes import UV, eventually, exists, run, succeed
from tests.rendering import Renderer
from tests.services import DEV, FASTAPI_DEV, Start, postmaster

pytestmark = pytest.mark.slow

UVICORN = [UV, "run", "uvicorn", "--factory", "app.main:create_app"]


@pytest.mark.parametrize("command", [DEV, FASTAPI_DEV], ids=["dev", "fastapi dev"])
def test_ctrl_c_ends_the_service_and_its_database(
    default: Path, start: Start, command: list[str]
) -> None:
    server = start(default, *command)
    database = postmaster(default)

    # The service ends with 0; `uv run` may say 130, which tells the shell of the Ctrl-C.
    assert server.interrupt() in {0, 130}
    assert "Traceback" not in server.output
    assert eventually(lambda: not exists(database))
    assert eventually(lambda: not server.has_left_processes())


@pytest.mark.parametrize("command", ["my-service", "fastapi"])
def test_nothing_keeps_running_after_kill_9(default: Path, start: Start, command: str) -> None:
    succeed(UV, "sync", "--quiet", cwd=default)
    # Without `uv run` between, which would be what is killed.
    server = start(default, default / ".venv" / "bin" / command, "dev")
    database = postmaster(default)

    server.kill()

    assert eventually(lambda: not exists(database))
    assert eventually(lambda: not server.has_left_processes())


def test_the_database_ends_when_all_of_the_service_is_killed(default: Path, start: Start) -> None:
    server = start(default, *DEV)
    database = postmaster(default)

    os.killpg(server.process.pid, signal.SIGKILL)

    assert eventually(lambda: not exists(database))


@pytest.mark.parametrize(
    "command",
    [
        [UV, "run", "my-service", "serve"],
        UVICORN,
        [UV, "run", "fastapi", "run"],
    ],
    ids=["serve", "uvicorn", "fastapi run"],
)
def test_serving_in_production_requires_a_database_url(
    render: Renderer, tmp_path: Path, command: list[str]
) -> None:
    render.into(tmp_path / "service")

    refuses(tmp_path / "service", *command)


def test_commands_without_the_development_dependencies_require_a_database_url(
    render: Renderer, tmp_path: Path
) -> None:
    service = tmp_path / "service"
    render.into(service)
    succeed(UV, "sync", "--quiet", "--no-dev", cwd=service)

    for command in ("migrate", "db reset --yes", "seed", "delete-old-posts --days 30", "dev"):
        refuses(service, service / ".venv/bin/my-service", *command.split())


def refuses(service: Path, *command: str | Path) -> None:
    """Check that a command names DATABASE_URL and starts no database."""
    ended = run(*command, cwd=service)

    assert ended.returncode in {1, 2}, command
    assert "DATABASE_URL: is not set" in ended.stdout, ended.stdout
    assert "Traceback" not in ended.stdout
    assert not (service / ".pgdata").exists()
