"""The environment of rendered services, and databases for their test suites."""

import asyncio
import os
import pwd
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
from sqlalchemy import URL

from local_postgres import ephemeral
from tests.processes import UV, Server, environment, locked, succeed
from tests.rendering import ROOT

DEV = [UV, "run", "my-service", "dev"]
FASTAPI_DEV = [UV, "run", "fastapi", "dev"]

# Starts a server command and waits until it is ready: `start(service, *command)`.
Start = Callable[..., Server]


@dataclass(frozen=True)
class Interpreter:
    """The Python of an environment with the dependencies of every service."""

    python: Path

    def run_module(self, service: Path, *arguments: str | Path, **variables: str) -> str:
        """Run a module in the directory of a service; return its output."""
        return succeed(
            self.python, "-m", *arguments, cwd=service, PYTHONPATH="src", **variables
        ).stdout


def interpreter_for(service: Path, venv: Path, version: str) -> Interpreter:
    """Create the environment of a service; fail if the Python version is not installed.

    Several processes may call this for the same directory: the first creates the environment, and
    the others wait. (uv locks only the project, and each process has a separate project.)
    """
    with locked(venv):
        # Inexact: a second process must not remove what the first one uses, not even for a moment.
        succeed(
            *(UV, "sync", "--quiet", "--inexact", "--no-install-project", "--python", version),
            cwd=service,
            UV_PROJECT_ENVIRONMENT=str(venv),
            PATH=os.pathsep.join([SYSTEM, environment()["PATH"], *_python_directories()]),
        )
        # The tests run the generator of features from the working tree.
        needed = ROOT / "scaffold" / "pyproject.toml"
        succeed(UV, "pip", "install", "--quiet", "--python", venv, "-r", needed, cwd=service)
    return Interpreter(venv / "bin" / "python")


def _python_directories() -> list[str]:
    # Not pyenv's shims, which run only the selected version. HOME may be empty in this process.
    account = Path(pwd.getpwuid(os.getuid()).pw_dir)
    return [str(found) for found in sorted(account.glob(".pyenv/versions/*/bin"))]


# The Python of the distribution, which is faster than one that was built without optimizations.
SYSTEM = "/usr/bin"
RUNNING_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@contextmanager
def postgres() -> Iterator[URL]:
    """Start a server with a database named `test`, which test suites of services require."""
    with ephemeral(max_connections=200) as server:
        create_database(server, "test")
        yield server.set(database="test")


def new_database(server: URL) -> URL:
    """Create an empty database, which exists until the server stops."""
    name = f"test_{uuid4().hex}"
    create_database(server, name)
    return server.set(database=name)


def create_database(server: URL, name: str) -> None:
    """Create a database on the server of the URL."""
    query(server.set(database="postgres"), f'CREATE DATABASE "{name}"')


def query(database: URL, statement: str) -> list[tuple[object, ...]]:
    """Run a statement; return its rows."""

    async def fetch() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(
            host=str(database.query["host"]), user=database.username, database=database.database
        )
        rows = await connection.fetch(statement)
        await connection.close()
        return [tuple(row) for row in rows]

    return asyncio.run(fetch())


def database_url(database: URL) -> str:
    """Return the URL as a value of DATABASE_URL."""
    return database.render_as_string(hide_password=False)


def postmaster(service: Path) -> int:
    """Return the process id of the development database."""
    [pid_file] = service.glob(".pgdata/*/postmaster.pid")
    return int(pid_file.read_text().splitlines()[0])
