"""A database, its service, and commands in the environment of the service."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from sqlalchemy import URL

from benchmarks import installation
from benchmarks.servers import SERVER_CORE, Server

TIMEOUT = 120


@dataclass
class Dataset:
    """A database, and the number of its rows."""

    name: str
    users: int
    posts: int
    url: URL


@dataclass
class Environment(Dataset):
    """A loaded database, its service, and the measurements."""

    server: Server
    seconds: dict[str, float] = field(default_factory=dict)
    plans: dict[str, list[list[str]]] = field(default_factory=dict)
    # Rows sent, and resident memory in MB.
    memory: list[tuple[int, float]] = field(default_factory=list)
    rows_per_second: float = 0

    def get(self, path: str) -> tuple[float, int, bytes]:
        """Send a GET request; return seconds, status code and content."""
        started = time.perf_counter()
        response = self.open(path)
        content = response.read()
        return time.perf_counter() - started, response.status, content

    def content(self, path: str) -> bytes:
        """Send a GET request; return the content."""
        return self.get(path)[2]

    def open(self, path: str) -> HTTPResponse:
        """Send a GET request; return the response without reading its body."""
        self.connection.request("GET", path)
        return self.connection.getresponse()

    @cached_property
    def connection(self) -> HTTPConnection:
        """A keep-alive connection for all requests."""
        return HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT)


def resident_memory(environment: Environment) -> float:
    """Return the resident memory of the server in MB."""
    status = Path(f"/proc/{environment.server.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0


def run_module(
    service: installation.InstalledApp, url: URL, module: str, *arguments: str
) -> Iterator[str]:
    """Run a module in the environment of the service; yield the lines of its output."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": installation.python_path(service),
        "DATABASE_URL": url.render_as_string(hide_password=False),
    }
    command = [str(service.python), "-m", module, *arguments]
    with must_succeed(
        subprocess.Popen(command, cwd=service.directory, env=environment, stdout=-1, text=True)
    ) as process:
        os.sched_setaffinity(process.pid, {SERVER_CORE})
        yield from process.stdout or ()


@contextmanager
def must_succeed(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """Wait for a process that must exit with 0; kill it if the block fails."""
    try:
        with process:
            yield process
    except BaseException:
        process.kill()
        raise
    if process.returncode:
        raise installation.AppUnavailable(f"{process.args!r} exited with {process.returncode}")
