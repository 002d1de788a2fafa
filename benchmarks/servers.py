"""Starts a program on a core of its own, and ends it."""

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
from benchmarks.programs import NotReady, Ready, search_path
from tests.processes import free_port

SECONDS_TO_START = 30
CORES = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
# The first for what is measured; PostgreSQL and the load generator share the second.
SERVER_CORE, OTHER_CORE = (CORES[0], CORES[-1])


@dataclass(frozen=True)
class Server:
    """A program that runs."""

    ready: Ready
    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of CPU that the process has used so far, in user space and in the kernel."""
        # The clock of another process, as clock_getcpuclockid(3) computes its number: /proc counts
        # in hundredths of a second.
        return time.clock_gettime(~self.pid << 3 | 2)


@contextmanager
def running(
    ready: Ready, database: URL, log: Path, *, access_log: bool = False, **variables: str
) -> Iterator[Server]:
    """The program, listening on the loopback; raises NotReady with its last words."""
    port = free_port()
    command = [str(ready.python), "-m", "uvicorn", *ready.program.application.split()]
    command += ["--port", str(port)]
    if not access_log:
        command += ["--no-access-log", "--log-level", "warning"]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": search_path(ready),
        "DATABASE_URL": database.render_as_string(hide_password=False),
        "DRIVER_URL": driver_url(database),
        "LOG_LEVEL": "INFO" if access_log else "WARNING",
        "LOG_FORMAT": "json",
        **variables,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ready.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        # It has one thread yet: those to come inherit it.
        os.sched_setaffinity(process.pid, {SERVER_CORE})
        _until_it_listens(process, port, log)
        yield Server(ready, port, process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise NotReady(f"it did not start: {log.read_text(errors='replace').strip()[-300:]}")
