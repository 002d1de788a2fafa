"""The servers that development and tests use, as context managers that yield a URL."""

import fcntl
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, STDOUT, check_output
from typing import IO

from sqlalchemy import URL

from local_postgres import supervisor
from local_postgres.binaries import PostgresUnavailable, find_binaries
from local_postgres.supervisor import PORT, PREFIX, READY, TMP, Cluster, socket_dir, try_lock

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a RAM disk, small in some containers
MIN_SHARED_MEMORY = 2**30  # several times what a test run needs


def development(root: Path) -> AbstractContextManager[URL]:
    """Yield the URL of a durable server with data in `root/.pgdata`. Raises PostgresUnavailable."""
    return _running(Cluster(root.resolve() / ".pgdata", *find_binaries(), durable=True))


def ephemeral(max_connections: int = 100) -> AbstractContextManager[URL]:
    """Yield the URL of a new, empty server without durability. Raises PostgresUnavailable."""
    settings = (f"max_connections={max_connections}", "deadlock_timeout=500ms")
    return temporary(Cluster(temp_dir(), *find_binaries(), settings=settings))


def temp_dir() -> Path:
    """Return an unused path for an ephemeral cluster, in shared memory if it is large enough."""
    writable = os.access(SHARED_MEMORY, os.W_OK)
    in_memory = writable and shutil.disk_usage(SHARED_MEMORY).free > MIN_SHARED_MEMORY
    return (SHARED_MEMORY if in_memory else TMP) / (PREFIX + secrets.token_hex(8))


@contextmanager
def temporary(cluster: Cluster) -> Generator[URL]:
    """Create the directory of a cluster, yield the URL of its server, and remove both."""
    cluster.root.mkdir(mode=0o700)
    try:
        with _running(cluster) as url:
            yield url
    finally:
        wait_until_stopped(cluster)
        shutil.rmtree(cluster.root, ignore_errors=True)


def wait_until_stopped(cluster: Cluster) -> None:
    """Wait until no process of the cluster's server is left."""
    with suppress(FileNotFoundError), cluster.path(".server").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


@contextmanager
def _running(cluster: Cluster) -> Generator[URL]:
    with ExitStack() as stack:
        try:
            if cluster.durable:
                cluster.root.mkdir(parents=True, exist_ok=True)
                (cluster.root / ".gitignore").write_text("*\n")
            users = stack.enter_context(cluster.path(".users").open("a"))
            query = {"host": _ensure_running(cluster, users), "port": str(PORT)}
        except OSError as error:
            raise PostgresUnavailable(f"PostgreSQL cannot be started: {error}") from error
        yield URL.create("postgresql+asyncpg", "postgres", database="postgres", query=query)


def _ensure_running(cluster: Cluster, users: IO[str]) -> str:
    """Return the socket directory of the server, after starting it if necessary."""
    deadline = time.monotonic() + 3 * supervisor.TIMEOUT  # to stop one server and start another
    while time.monotonic() < deadline:
        if try_lock(users, fcntl.LOCK_SH):  # fails while the supervisor stops the server
            if sockets := socket_dir(cluster.path()):
                return sockets
            _start(cluster)
        time.sleep(0.02)
    raise PostgresUnavailable("Another process locks a server that accepts no connections.")


def _start(cluster: Cluster) -> None:
    """Start the server, unless another process does: a second supervisor ends without output."""
    with cluster.path(".server").open("a") as lock:
        if not try_lock(lock, fcntl.LOCK_EX):
            return
    command = [sys.executable, "-IS", supervisor.__file__, json.dumps(cluster, default=str)]
    # A new session, so that Ctrl-C in the terminal does not stop the server.
    output = check_output(
        command, stdin=DEVNULL, stderr=STDOUT, cwd="/", start_new_session=True, text=True
    )
    if output and not output.endswith(READY):
        raise PostgresUnavailable(f"PostgreSQL did not start:\n{output.strip()}")
    sys.stderr.write(output.removesuffix(READY))
