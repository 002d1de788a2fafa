"""The servers that a program asks for: how long each lives, and who shares it."""

import fcntl
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL

from app.kit.local_postgres.binaries import find_binaries
from app.kit.local_postgres.cluster import PORT, Cluster, fastest, scratch_name
from app.kit.local_postgres.launch import attach, start
from app.kit.local_postgres.supervisor import try_lock
from app.kit.local_postgres.unavailable import PostgresUnavailable

SECONDS_OF_PATIENCE = 120  # longer than a supervisor takes to start or to stop

T = TypeVar("T")


@contextmanager
def development(root: Path) -> Generator[URL]:
    """The URL of the durable server of the project in `root`, shared by all who ask for it.

    The data is in `.pgdata/<major>`, one directory per major version of PostgreSQL. The server
    stops, in the background, when its last user is gone. Raises PostgresUnavailable.
    """
    binaries = find_binaries()
    place = root.resolve() / ".pgdata"
    try:
        place.mkdir(parents=True, exist_ok=True)
        if not (place / ".gitignore").exists():
            (place / ".gitignore").write_text("*\n")
    except OSError as error:
        message = f"No place for a database: {error}"
        raise PostgresUnavailable(message) from error
    with _serving(Cluster(place, binaries, durable=True)) as url:
        yield url


def is_in_use(root: Path) -> bool:
    """Whether a process uses the durable server of the project in `root`."""
    users = Cluster(root.resolve() / ".pgdata", find_binaries(), durable=True).users
    if not users.exists():
        return False
    with users.open() as lock:
        # A supervisor that stops the server holds the exclusive lock: that is no use.
        return try_lock(lock, fcntl.LOCK_SH) and not try_lock(lock, fcntl.LOCK_EX)


@contextmanager
def throwaway(max_connections: int = 100) -> Generator[URL]:
    """The URL of a new, empty server that trades durability for speed and is removed at the end.

    Raises PostgresUnavailable.
    """
    place = fastest() / scratch_name()
    cluster = Cluster(place, find_binaries(), durable=False, max_connections=max_connections)
    with temporary(cluster) as url:
        yield url


@contextmanager
def temporary(cluster: Cluster) -> Generator[URL]:
    """The URL of the server of a cluster whose place, not there yet, is removed at the end.

    Raises PostgresUnavailable.
    """
    cluster.place.mkdir(mode=0o700)
    try:
        with _serving(cluster) as url:
            yield url
    finally:
        with suppress(FileNotFoundError), cluster.server.open() as server:
            fcntl.flock(server, fcntl.LOCK_EX)
        shutil.rmtree(cluster.place, ignore_errors=True)


@contextmanager
def _serving(cluster: Cluster) -> Generator[URL]:
    with ExitStack() as stack:
        try:
            users = stack.enter_context(cluster.users.open("a+"))
            # Not to be had while a supervisor stops; once held, none will.
            _patiently(lambda: try_lock(users, fcntl.LOCK_SH))
            sockets = _patiently(lambda: start(cluster) or attach(cluster))
        except OSError as error:
            message = f"PostgreSQL cannot be started: {error}"
            raise PostgresUnavailable(message) from error
        yield URL.create(
            "postgresql+asyncpg",
            "postgres",
            database="postgres",
            query={"host": str(sockets), "port": str(PORT)},
        )


def _patiently(attempt: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + SECONDS_OF_PATIENCE
    while not (result := attempt()):
        if time.monotonic() > deadline:
            message = "Another process holds the database, but its server does not answer."
            raise PostgresUnavailable(message)
        time.sleep(0.02)
    return result
