"""Client processes of a local PostgreSQL server, and functions that inspect the server."""

import asyncio
import fcntl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from sqlalchemy import URL, make_url

from local_postgres.supervisor import PREFIX, TMP

SOURCES = Path(__file__).resolve().parents[2] / "template" / "devtools"
PYTHON_PATHS = (SOURCES, *sys.path)
# A client of the server: prints the URL and runs until its standard input is closed. It handles
# SIGINT, as a development server does.
CLIENT_PROGRAM = """
import signal, sys
from contextlib import ExitStack
from pathlib import Path
from local_postgres import development, ephemeral
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
with development(Path(sys.argv[1])) if sys.argv[1:] else ephemeral() as url:
    print(url, flush=True)
    sys.stdin.read()
"""

T = TypeVar("T")

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")


class Client:
    """A client process, killed at the end of the test."""

    def __init__(self, root: Path | None, python: str, **options: Any) -> None:
        command = [python, "-c", CLIENT_PROGRAM, *([str(root)] if root else [])]
        self.process: subprocess.Popen[str] = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )

    def read_line(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        if not line:
            pytest.fail(f"the client process failed: {self.process.communicate()[1]}")
        return line

    def url(self) -> URL:
        return make_url(self.read_line())

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def close(self) -> str:
        """Close standard input, wait for exit code 0, and return the text on stderr."""
        errors = self.process.communicate(timeout=30)[1]
        assert self.process.returncode == 0, errors
        return errors


StartClient = Callable[..., Client]


def eventually(condition: Callable[[], T], seconds: float = 20) -> T:
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.005)
    return result


def stays_true(condition: Callable[[], bool], seconds: float = 0.4) -> bool:
    """Return whether a condition stays true for longer than the supervisor needs to react."""
    end = time.monotonic() + seconds
    while condition():
        if time.monotonic() > end:
            return True
        time.sleep(0.005)
    return False


def no_server_runs_in(root: Path) -> bool:
    """Return whether no server and no socket directory of a project is left."""
    return all(
        is_unlocked(lock) and not (TMP / (PREFIX + lock.read_text())).exists()
        for lock in root.glob(".pgdata/*.server")
    )


def is_unlocked(lock: Path) -> bool:
    with lock.open("a+") as file, suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def fetch_value(url: URL, *statements: str) -> Any:
    """Run statements; return the value of the last one."""

    async def run_statements() -> Any:
        host, port = str(url.query["host"]), int(str(url.query["port"]))
        connection = await asyncpg.connect(
            host=host, port=port, user=url.username, database=url.database
        )
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(run_statements())


def postmaster(url: URL) -> int:
    data = Path(fetch_value(url, "SHOW data_directory"))
    return int((data / "postmaster.pid").read_text().split()[0])


def is_alive(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return state.strip()[:1] not in {"", "Z"}  # Z: a zombie process


def supervisor_of(root: Path) -> int:
    """Return the process id of the supervisor, or 0."""
    listing = subprocess.run(
        ["ps", "-axww", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True
    ).stdout
    for line in listing.splitlines():
        pid, parent, command = line.split(maxsplit=2)
        if "supervisor.py" in command and f'"{root}/' in command and parent == "1":
            return int(pid)
    return 0


def data_directory(root: Path) -> Path:
    return next(path for path in (root / ".pgdata").iterdir() if path.name.isdigit())
