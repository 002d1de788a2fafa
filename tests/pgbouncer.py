"""PgBouncer in transaction mode, if the machine has it (Debian package: pgbouncer)."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from tests.processes import free_port

PGBOUNCER = shutil.which("pgbouncer", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
SECONDS_TO_START = 10

CONFIGURATION = """
[databases]
* = host={host} port={port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 500
default_pool_size = 10
logfile = {directory}/log
"""


@contextmanager
def start_pgbouncer(server: URL, directory: Path) -> Iterator[URL]:
    """Start PgBouncer in front of a server, with its files in `directory`; yield its URL."""
    port = free_port()
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(
            host=server.query["host"],
            port=server.query["port"],
            listen_port=port,
            directory=directory,
        )
    )
    with run_pgbouncer(configuration, Path(str(server.query["host"])), port):
        yield URL.create("postgresql", "postgres", host="127.0.0.1", port=port, database="test")


@contextmanager
def run_pgbouncer(configuration: Path, sockets: Path, port: int) -> Iterator[None]:
    """Run PgBouncer under the account of the PostgreSQL server, and wait for its port."""
    assert PGBOUNCER is not None
    process = subprocess.Popen(
        [PGBOUNCER, configuration],
        **_account_of(sockets, configuration.parent),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _account_of(sockets: Path, directory: Path) -> dict[str, Any]:
    # PgBouncer refuses to run as root, and only the server's account can connect to its socket.
    if os.geteuid() != 0:
        return {}
    owner = sockets.stat()
    os.chown(directory, owner.st_uid, owner.st_gid)
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
