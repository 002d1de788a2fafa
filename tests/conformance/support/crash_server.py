"""A durable PostgreSQL server that a test can kill and restart at the same address."""

import os
import shutil
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, Signals
from tempfile import mkdtemp

from sqlalchemy import URL

from local_postgres import development
from local_postgres.binaries import find_binaries
from local_postgres.server import wait_until_stopped
from local_postgres.supervisor import PREFIX, TMP, Cluster


@dataclass(frozen=True)
class CrashingServer:
    """A durable server.

    `url` is a symbolic link, because each start creates a new socket directory.
    """

    root: Path
    _running: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> URL:
        """The URL of the server; it stays the same after a restart."""
        return URL.create(
            "postgresql+asyncpg", "postgres", database="postgres", query={"host": str(self._link)}
        )

    def start(self) -> None:
        """Start the server. PostgreSQL recovers from its write-ahead log."""
        url = self._running.enter_context(development(self.root))
        fresh = self.root / "new"
        fresh.symlink_to(str(url.query["host"]))
        fresh.replace(self._link)

    def kill(self, signal: Signals) -> None:
        """Send SIGKILL or SIGQUIT to the server and wait until all its processes have ended."""
        cluster = Cluster(self.root / ".pgdata", *find_binaries(), durable=True)
        os.kill(int((cluster.path() / "postmaster.pid").read_text().split()[0]), signal)
        wait_until_stopped(cluster)
        self._running.close()

    @property
    def _link(self) -> Path:
        return self.root / "socket"


@contextmanager
def crashing_server() -> Generator[CrashingServer]:
    """Start a new server, and remove it at the end.

    Raises PostgresUnavailable.
    """
    # Short path: a socket path has at most about 100 bytes. World-readable: the server runs as
    # another user.
    server = CrashingServer(Path(mkdtemp(prefix=PREFIX, dir=TMP)))
    server.root.chmod(0o755)
    try:
        server.start()
        yield server
        server.kill(SIGKILL)
    finally:
        shutil.rmtree(server.root, ignore_errors=True)
