"""What the tests share: a renderer, an environment for services, and a PostgreSQL server."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.browsers import CHROMIUM
from tests.node import Node, node_with_packages
from tests.pgbouncer import PGBOUNCER
from tests.processes import Server, free_port, open_directory, serving
from tests.rendering import FLIPPED, Copy, Renderer, repository_of_working_tree
from tests.services import RUNNING_VERSION, Interpreter, Start, interpreter_for, postgres

SECONDS_TO_START = 90

# It runs inside rendered services: tests/test_conformance.py.
collect_ignore = ["conformance"]

# Nothing that a test starts or calls may meet a database, or settings of Git, from outside.
for _name in [name for name in os.environ if name.startswith("DATABASE_")]:
    del os.environ[_name]
os.environ["GIT_CONFIG_GLOBAL"] = os.devnull


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have the workers begin with what takes minutes: what comes last is small, and soon shared.

    Each begins with its part of the list, and takes from the others when it has done its own.
    """
    workers: int = getattr(config, "workerinput", {}).get("workercount", 1)
    whole = [item for item in items if item.get_closest_marker("whole")]
    rest = [item for item in items if item not in whole]
    size = -(-len(items) // workers)
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        first = whole[worker::workers]
        ordered += first + [rest.pop(0) for _ in range(min(size - len(first), len(rest)))]
    items[:] = ordered


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    """Render the template: `render(pk_type="int")` is the directory, for reading only."""
    return Renderer(tmp_path_factory.mktemp("renderings", numbered=False))


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the template, for reading only."""
    return repository_of_working_tree(tmp_path_factory.mktemp("repository") / "template")


@pytest.fixture
def service(render: Renderer, tmp_path: Path) -> Copy:
    """A rendering to run things in: `service(pk_type="int")`."""

    def copy(**answers: Any) -> Path:
        return Path(shutil.copytree(render(**answers), tmp_path / "service"))

    return copy


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for what all workers of this run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def node(shared_directory: Path) -> Node:
    """Node.js with packages of npm, fetched once."""
    return node_with_packages(shared_directory / "node")


@pytest.fixture(scope="session")
def interpreter_of(
    render: Renderer, shared_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Interpreter]:
    """An environment for generated services on a version of Python, made once."""

    def of(version: str) -> Interpreter:
        # Every other service needs a part of what this one needs.
        place = tmp_path_factory.mktemp("largest") / "service"
        largest = shutil.copytree(render(deploy="kubernetes", telemetry=True), place)
        return interpreter_for(largest, shared_directory / f"python-{version}", version)

    return of


@pytest.fixture(scope="session")
def interpreter(interpreter_of: Callable[[str], Interpreter]) -> Interpreter:
    """The environment for generated services on the Python that runs these tests."""
    return interpreter_of(RUNNING_VERSION)


@pytest.fixture(scope="session")
def server() -> Iterator[URL]:
    """A PostgreSQL for all the suites that this worker runs."""
    with postgres() as url:
        yield url


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command that serves, and wait until it is ready: `start(service, *command)`."""
    with ExitStack() as stack:

        def started(service: Path, *command: str | Path) -> Server:
            port = free_port()
            server = stack.enter_context(
                serving(*command, "--port", str(port), cwd=service, port=port, log=tmp_path / "log")
            )
            server.until_ready(SECONDS_TO_START)
            return server

        yield started


@pytest.fixture(scope="session")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache directory of mypy, shared by the services that this worker checks."""
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture(scope="session")
def default(render: Renderer) -> Iterator[Path]:
    """The default service in a directory of its own."""
    with open_directory() as place:
        render.into(place / "service")
        yield place / "service"


@pytest.fixture(scope="session")
def flipped(render: Renderer) -> Iterator[Path]:
    """The service whose every answer is the opposite of the default, likewise."""
    with open_directory() as place:
        render.into(place / "service", **FLIPPED)
        yield place / "service"


def pytest_report_header() -> list[str]:
    """Say which parts of the suite this machine cannot run."""
    pooler = PGBOUNCER or "not installed, so no service is tested through it"
    browser = CHROMIUM or "not installed, so no page is looked at in a browser"
    return [f"pgbouncer: {pooler}", f"chromium: {browser}"]
