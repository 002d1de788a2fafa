"""Programs as a user starts them: in an environment of their own, watched, and always ended."""

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
SECONDS_OF_PATIENCE = 600
OURS = (
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
OURS_OF_UV = ("UV_RUN_RECURSION_DEPTH", "UV_PROJECT", "UV_PYTHON")


def environment(**more: str) -> dict[str, str]:
    """The environment of a user who has nothing of this test run and no database."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith((*OURS, *OURS_OF_UV)) or name == "GIT_SSL_CAINFO"
    }
    ours = Path(sys.executable).parent
    path = [entry for entry in kept["PATH"].split(os.pathsep) if Path(entry) != ours]
    return {**kept, "PATH": os.pathsep.join(path), **more}


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The ended program, with both its outputs in `stdout`."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_OF_PATIENCE,
        check=False,
    )


def succeed(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The program, which must end with 0; the test fails with its output otherwise."""
    ended = run(*command, cwd=cwd, **variables)
    if ended.returncode != 0:
        words = " ".join(str(word) for word in command)
        pytest.fail(f"{words} in {cwd} ended with {ended.returncode}:\n{ended.stdout}")
    return ended


class Server:
    """A program that serves HTTP until it is told to stop."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self._log = log

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    def until_ready(self, seconds: float) -> None:
        """Wait until it can serve, its database included."""
        self.until(lambda: self.get("/health/ready").is_success, seconds, "it is not ready")

    def get(self, path: str) -> httpx2.Response:
        """The answer to a request of its own connection."""
        return httpx2.get(self.url + path, timeout=10)

    def until(self, attempt: Callable[[], T], seconds: float, complaint: str) -> T:
        """Try until it is true; a refused connection is "not yet", an ended program "never"."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(httpx2.TransportError):
                if result := attempt():
                    return result
            time.sleep(0.05)
        pytest.fail(f"{complaint}; exit code {self.process.poll()}, output:\n{self.output}")

    def interrupt(self) -> int:
        """Ctrl-C: a terminal sends SIGINT to all that runs in its foreground. The exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """`kill -9` of the program that was started, and of nothing else."""
        self.process.kill()
        self.process.wait(timeout=30)

    def has_left_processes(self) -> bool:
        """Whether anything of its process group still runs."""
        return exists(-self.process.pid)


@contextmanager
def serving(
    *command: str | Path, cwd: Path, port: int, log: Path, **variables: str
) -> Iterator[Server]:
    """The program, in a process group of its own, which is killed if the test leaves it running."""
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


def exists(process: int) -> bool:
    """Whether there is such a process, or, with its number negated, such a process group."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that every account can enter, which those of pytest forbid.

    Run by root, PostgreSQL has another account; a directory it cannot enter makes it keep the
    data elsewhere, where nobody would remove it after the test.
    """
    place = Path(tempfile.mkdtemp(prefix="template-test-"))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
