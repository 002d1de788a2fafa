"""Subprocesses with a user's environment, which are always stopped."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest
from uv import find_uv_bin

T = TypeVar("T")

UV = find_uv_bin()
TIMEOUT_SECONDS = 600
TEST_RUN_VARIABLES = (
    "DATABASE_",
    "LOG_",
    "PYTEST_",
    "COV_",
    "GIT_",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE",
    "PORT",
    "CI",
    "DOCS",
)
UV_RUN_VARIABLES = ("UV_RUN_RECURSION_DEPTH", "UV_PROJECT", "UV_PYTHON")


def environment(**more: str) -> dict[str, str]:
    """Return the environment without variables of this test run or of a database."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith((*TEST_RUN_VARIABLES, *UV_RUN_VARIABLES)) or name == "GIT_SSL_CAINFO"
    }
    own_programs = Path(sys.executable).parent
    path = [entry for entry in kept["PATH"].split(os.pathsep) if Path(entry) != own_programs]
    return {**kept, "PATH": os.pathsep.join(path), **more}


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command; return the completed process, with stderr in `stdout`."""
    # Two pytest processes with the same root delete the same old directories, and one can fail.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        return subprocess.run(
            [str(word) for word in command],
            cwd=cwd,
            env=environment(PYTEST_DEBUG_TEMPROOT=root, **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )


def succeed(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command; if its exit code is not 0, fail the test and show the output."""
    result = run(*command, cwd=cwd, **variables)
    if result.returncode != 0:
        words = " ".join(str(word) for word in command)
        pytest.fail(f"{words} in {cwd} exited with {result.returncode}:\n{result.stdout}")
    return result


class Server:
    """A running HTTP server process."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self._log = log

    @property
    def output(self) -> str:
        """The output so far."""
        return self._log.read_text(errors="replace")

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until `/health/ready` responds with 2xx."""
        self.until(
            lambda: self.get("/health/ready").is_success, seconds, "the server did not become ready"
        )

    def get(self, path: str) -> httpx2.Response:
        """Send a GET request on a new connection."""
        return httpx2.get(self.url + path, timeout=10)

    def until(self, attempt: Callable[[], T], seconds: float, message: str) -> T:
        """Retry until the result is true; fail if the process ends or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(httpx2.TransportError):
                if result := attempt():
                    return result
            time.sleep(0.05)
        pytest.fail(f"{message}; exit code {self.process.poll()}, output:\n{self.output}")

    def interrupt(self) -> int:
        """Send SIGINT to the process group, as Ctrl-C does; return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """Send SIGKILL to the process, not to its children."""
        self.process.kill()
        self.process.wait(timeout=30)

    def has_running_processes(self) -> bool:
        """Return whether a process of the process group still runs."""
        return process_exists(-self.process.pid)


@contextmanager
def serving(
    *command: str | Path, cwd: Path, port: int, log: Path, **variables: str
) -> Iterator[Server]:
    """Start a server in a new process group, and kill the group at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Server(process, f"http://127.0.0.1:{port}", log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)


def process_exists(process: int) -> bool:
    """Return whether a process exists or, for a negative id, a process group."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Poll a condition; return whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a path, so that the other processes of this run wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def open_directory() -> Iterator[Path]:
    """Create a temporary directory that every account can enter, unlike those of pytest.

    As root, the tests run PostgreSQL under another account. If that account cannot enter the
    directory, the launcher puts the data into another directory, which the test does not remove.
    """
    directory = Path(tempfile.mkdtemp(prefix="template-test-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
