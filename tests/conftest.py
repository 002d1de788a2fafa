"""Shared fixtures: the renderer, the environment of services, and PostgreSQL."""

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
from tests.processes import Server, free_port, open_directory, run, serving
from tests.rendering import FLIPPED, Renderer, RenderService, once, repository_of_working_tree
from tests.services import RUNNING_VERSION, Interpreter, Start, interpreter_for, postgres

SECONDS_TO_START = 90

# tests/test_conformance.py runs this suite inside rendered services.
collect_ignore = ["conformance"]

# Tests must not use a database or Git configuration of the machine.
for _name in [name for name in os.environ if name.startswith("DATABASE_")]:
    del os.environ[_name]
os.environ["GIT_CONFIG_GLOBAL"] = os.devnull


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the longest tests first, spread over the workers.

    Each worker starts with its own part of the list and then steals tests from the others, so the
    tests at the end should be short.
    """
    workers: int = getattr(config, "workerinput", {}).get("workercount", 1)
    long = [item for item in items if item.get_closest_marker("full_suite")]
    rest = [item for item in items if item not in long]
    size = -(-len(items) // workers)
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        first = long[worker::workers]
        ordered += first + [rest.pop(0) for _ in range(min(size - len(first), len(rest)))]
    items[:] = ordered


@pytest.fixture(scope="session")
def render(shared_directory: Path) -> Renderer:
    """Render the template: `render(pk_type="int")` returns a directory. Do not change it."""
    return Renderer(shared_directory / "renderings")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Git repository of the template. Do not change it."""
    return repository_of_working_tree(tmp_path_factory.mktemp("repository") / "template")


@pytest.fixture
def service(render: Renderer, tmp_path: Path) -> RenderService:
    """Render a service that the test may change: `service(pk_type="int")`."""

    def copy(**answers: Any) -> Path:
        return Path(shutil.copytree(render(**answers), tmp_path / "service"))

    return copy


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def node(shared_directory: Path) -> Node:
    """Node.js with npm packages, downloaded once per run."""
    return node_with_packages(shared_directory / "node")


@pytest.fixture(scope="session")
def interpreter_of(
    render: Renderer, shared_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Interpreter]:
    """Create the environment of generated services for a Python version, once per run."""

    def create(version: str) -> Interpreter:
        # This service has every dependency that a service can have.
        directory = tmp_path_factory.mktemp("largest") / "service"
        largest = shutil.copytree(
            render(deploy="kubernetes", telemetry=True, auth="oidc"), directory
        )
        return interpreter_for(largest, shared_directory / f"python-{version}", version)

    return create


@pytest.fixture(scope="session")
def interpreter(interpreter_of: Callable[[str], Interpreter]) -> Interpreter:
    """The environment of generated services for the Python version that runs these tests."""
    return interpreter_of(RUNNING_VERSION)


@pytest.fixture(scope="session")
def server() -> Iterator[URL]:
    """A PostgreSQL server, one per worker."""
    with postgres() as url:
        yield url


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server command and wait until it is ready: `start(service, *command)`."""
    with ExitStack() as stack:

        def started(service: Path, *command: str | Path) -> Server:
            port = free_port()
            server = stack.enter_context(
                serving(*command, "--port", str(port), cwd=service, port=port, log=tmp_path / "log")
            )
            server.wait_until_ready(SECONDS_TO_START)
            return server

        yield started


@pytest.fixture(scope="session")
def mypy_cache(
    render: Renderer,
    interpreter: Interpreter,
    shared_directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The cache directory of mypy, one per worker: a copy of a cache with all libraries."""

    def fill(cache: Path) -> None:
        run(interpreter.python, "-m", "mypy", "--cache-dir", cache, cwd=render())

    first = once(shared_directory / "mypy", fill)
    return Path(shutil.copytree(first, tmp_path_factory.mktemp("mypy") / "cache"))


@pytest.fixture(scope="session")
def default(render: Renderer) -> Iterator[Path]:
    """The default service, in a directory that every account can enter."""
    with open_directory() as directory:
        render.into(directory / "service")
        yield directory / "service"


@pytest.fixture(scope="session")
def flipped(render: Renderer) -> Iterator[Path]:
    """The service with the answers of `FLIPPED`, in such a directory."""
    with open_directory() as directory:
        render.into(directory / "service", **FLIPPED)
        yield directory / "service"


def pytest_report_header() -> list[str]:
    """Report which optional programs are missing, so that their tests are skipped."""
    pooler = PGBOUNCER or "not installed: tests through PgBouncer are skipped"
    browser = CHROMIUM or "not installed: browser tests are skipped"
    return [f"pgbouncer: {pooler}", f"chromium: {browser}"]
