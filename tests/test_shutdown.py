"""A service stops with its database, and does not start without DATABASE_URL in production."""

import os
import signal
from pathlib import Path

import pytest

from tests.processes import UV, eventually, process_exists, run, succeed
from tests.rendering import Renderer
from tests.services import DEV, FASTAPI_DEV, Start, postmaster

pytestmark = pytest.mark.slow

UVICORN = [UV, "run", "uvicorn", "--factory", "app.main:create_app"]


@pytest.mark.parametrize("command", [DEV, FASTAPI_DEV], ids=["dev", "fastapi dev"])
def test_ctrl_c_stops_service_and_database(default: Path, start: Start, command: list[str]) -> None:
    server = start(default, *command)
    database = postmaster(default)

    # The service exits with 0; `uv run` may exit with 130, the shell's code for Ctrl-C.
    assert server.interrupt() in {0, 130}
    assert "Traceback" not in server.output
    assert eventually(lambda: not process_exists(database))
    assert eventually(lambda: not server.has_running_processes())


@pytest.mark.parametrize("command", ["my-service", "fastapi"])
def test_sigkill_of_service_leaves_no_processes(default: Path, start: Start, command: str) -> None:
    succeed(UV, "sync", "--quiet", cwd=default)
    # Without `uv run`, which would receive the signal in place of the service.
    server = start(default, default / ".venv" / "bin" / command, "dev")
    database = postmaster(default)

    server.kill()

    assert eventually(lambda: not process_exists(database))
    assert eventually(lambda: not server.has_running_processes())


def test_database_stops_if_process_group_is_killed(default: Path, start: Start) -> None:
    server = start(default, *DEV)
    database = postmaster(default)

    os.killpg(server.process.pid, signal.SIGKILL)

    assert eventually(lambda: not process_exists(database))


@pytest.fixture(scope="module")
def unconfigured(render: Renderer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service without DATABASE_URL, whose commands must not start a database."""
    service = tmp_path_factory.mktemp("unconfigured") / "service"
    render.into(service)
    return service


@pytest.mark.parametrize(
    "command",
    [
        [UV, "run", "my-service", "serve"],
        UVICORN,
        [UV, "run", "fastapi", "run"],
    ],
    ids=["serve", "uvicorn", "fastapi run"],
)
def test_production_servers_require_database_url(unconfigured: Path, command: list[str]) -> None:
    assert_requires_database_url(unconfigured, *command)


def test_commands_without_dev_dependencies_require_database_url(
    render: Renderer, tmp_path: Path
) -> None:
    service = tmp_path / "service"
    render.into(service)
    succeed(UV, "sync", "--quiet", "--no-dev", cwd=service)

    for command in ("migrate", "db reset --yes", "seed", "delete-old-posts --days 30", "dev"):
        assert_requires_database_url(service, service / ".venv/bin/my-service", *command.split())


def assert_requires_database_url(service: Path, *command: str | Path) -> None:
    """Assert that a command fails, names DATABASE_URL and starts no database."""
    result = run(*command, cwd=service)

    assert result.returncode in {1, 2}, command
    assert "DATABASE_URL: is not set" in result.stdout, result.stdout
    assert "Traceback" not in result.stdout
    assert not (service / ".pgdata").exists()
