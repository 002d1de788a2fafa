"""A database, the service on it, and programs in the service's environment."""

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

from benchmarks import programs
from benchmarks.servers import SERVER_CORE, Server

PATIENCE = 120


@dataclass
class Rows:
    """One of the two databases, and how many rows it is to have."""

    name: str
    users: int
    posts: int
    url: URL


@dataclass
class Side(Rows):
    """One of the two databases, filled, and the service on it."""

    server: Server
    seconds: dict[str, float] = field(default_factory=dict)
    plans: dict[str, list[list[str]]] = field(default_factory=dict)
    # Resident memory in MB, by the rows that were sent.
    memory: list[tuple[int, float]] = field(default_factory=list)
    rows_a_second: float = 0

    def get(self, path: str) -> tuple[float, int, bytes]:
        """Seconds, status and content of an answer."""
        started = time.perf_counter()
        answer = self.open(path)
        content = answer.read()
        return time.perf_counter() - started, answer.status, content

    def content(self, path: str) -> bytes:
        """The content of an answer."""
        return self.get(path)[2]

    def open(self, path: str) -> HTTPResponse:
        """An answer of which nothing was read yet."""
        self.connection.request("GET", path)
        return self.connection.getresponse()

    @cached_property
    def connection(self) -> HTTPConnection:
        """One, for all that is asked."""
        return HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)


def resident(side: Side) -> float:
    """The memory of the server that is in use, in MB."""
    status = Path(f"/proc/{side.server.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0


def program(service: programs.Ready, url: URL, module: str, *arguments: str) -> Iterator[str]:
    """The lines that a program prints which runs in the service's environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": programs.search_path(service),
        "DATABASE_URL": url.render_as_string(hide_password=False),
    }
    command = [str(service.python), "-m", module, *arguments]
    with ended(
        subprocess.Popen(command, cwd=service.directory, env=environment, stdout=-1, text=True)
    ) as running_one:
        os.sched_setaffinity(running_one.pid, {SERVER_CORE})
        yield from running_one.stdout or ()


@contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """A program that must end well, and ends with whoever started it."""
    try:
        with process:
            yield process
    except BaseException:
        process.kill()
        raise
    if process.returncode:
        raise programs.NotReady(f"{process.args!r} ended with {process.returncode}")
