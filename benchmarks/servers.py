"""Server processes of the applications, on a dedicated core."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from benchmarks.database import driver_url
from benchmarks.installation import AppUnavailable, InstalledApp, python_path
from tests.processes import free_port

SECONDS_TO_START = 30
CORES = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
# The measured server uses the first core; PostgreSQL and the load generator share the second.
SERVER_CORE, OTHER_CORE = (CORES[0], CORES[-1])


@dataclass(frozen=True)
class Server:
    """A running server."""

    installed: InstalledApp
    port: int
    pid: int

    def cpu(self) -> float:
        """Return the CPU seconds of the process so far, in user space and in the kernel."""
        # The clock id of another process, computed as in clock_getcpuclockid(3). /proc has a
        # resolution of only 0.01 s.
        return time.clock_gettime(~self.pid << 3 | 2)


@contextmanager
def running(
    installed: InstalledApp, database: URL, log: Path, *, access_log: bool = False, **variables: str
) -> Iterator[Server]:
    """Start a server on the loopback interface.

    Raises:
        AppUnavailable: The server did not start; contains the end of its log.
    """
    port = free_port()
    command = [str(installed.python), "-m", "uvicorn", *installed.app.uvicorn_arguments.split()]
    command += ["--port", str(port)]
    if not access_log:
        command += ["--no-access-log", "--log-level", "warning"]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": python_path(installed),
        "DATABASE_URL": database.render_as_string(hide_password=False),
        "DRIVER_URL": driver_url(database),
        "LOG_LEVEL": "INFO" if access_log else "WARNING",
        "LOG_FORMAT": "json",
        **variables,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=installed.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        # The process has one thread so far; later threads inherit the affinity.
        os.sched_setaffinity(process.pid, {SERVER_CORE})
        _wait_for_port(process, port, log)
        yield Server(installed, port, process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AppUnavailable(
        f"the server did not start: {log.read_text(errors='replace').strip()[-300:]}"
    )
