"""What the suites of rendered services share: an environment, and a PostgreSQL server."""

import asyncio
import fcntl
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
from tests.processes import UV, Server, environment, succeed

DEV = [UV, "run", "my-service", "dev"]
FASTAPI_DEV = [UV, "run", "fastapi", "dev"]

# Starts a command of a service and waits until it is ready: `start(service, *command)`.
Start = Callable[..., Server]


@dataclass(frozen=True)
class Interpreter:
    """The Python of an environment that holds what every rendered service depends on."""

    python: Path

    def succeeds(self, service: Path, *arguments: str | Path, **variables: str) -> str:
        """Run a module of the environment in the service's directory; its output."""
        return succeed(
            self.python, "-m", *arguments, cwd=service, PYTHONPATH="src", **variables
        ).stdout


def interpreter_for(service: Path, place: Path, version: str) -> Interpreter:
    """An environment in `place` for a service with every dependency; fails without the version.

    Several processes may ask for the same place: one makes it and the others wait. uv locks the
    project, not the environment, and here each process has a project of its own.
    """
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        succeed(
            *(UV, "sync", "--quiet", "--no-install-project", "--python", version),
            cwd=service,
            UV_PROJECT_ENVIRONMENT=str(place),
            PATH=os.pathsep.join([SYSTEM, environment()["PATH"], *_python_directories()]),
        )
    return Interpreter(place / "bin" / "python")


def _python_directories() -> list[str]:
    # pyenv's shims only run the version that pyenv has switched to, and HOME may be empty here.
    account = Path(pwd.getpwuid(os.getuid()).pw_dir)
    return [str(found) for found in sorted(account.glob(".pyenv/versions/*/bin"))]


# Where the Python of a distribution is, which is quicker than one that was built by hand.
SYSTEM = "/usr/bin"
RUNNING_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@contextmanager
def postgres() -> Iterator[URL]:
    """A server with a database named `test`, which is what generated suites ask for."""
    with ephemeral(max_connections=200) as server:
        create_database(server, "test")
        yield server.set(database="test")


def new_database(server: URL) -> URL:
    """An empty database; it goes when the server goes."""
    name = f"test_{uuid4().hex}"
    create_database(server, name)
    return server.set(database=name)


def create_database(server: URL, name: str) -> None:
    """Create a database next to the one that the URL names."""

    async def create() -> None:
        connection = await asyncpg.connect(
            host=str(server.query["host"]), user=server.username, database="postgres"
        )
        await connection.execute(f'CREATE DATABASE "{name}"')
        await connection.close()

    asyncio.run(create())


def address(database: URL) -> str:
    """The URL in the form of DATABASE_URL."""
    return database.render_as_string(hide_password=False)


def postmaster(service: Path) -> int:
    """The process of the development database."""
    [pid_file] = service.glob(".pgdata/*/postmaster.pid")
    return int(pid_file.read_text().splitlines()[0])
