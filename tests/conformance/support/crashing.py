"""A server that keeps what it promised, is killed, and comes back at the same address."""

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
    """A durable server. Each start has a directory of its own for the socket: `url` is a link."""

    root: Path
    _present: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> URL:
        """Where it answers, when it does."""
        return URL.create(
            "postgresql+asyncpg", "postgres", database="postgres", query={"host": str(self._link)}
        )

    def start(self) -> None:
        """Let it replay what it wrote down, and answer."""
        url = self._present.enter_context(development(self.root))
        fresh = self.root / "new"
        fresh.symlink_to(str(url.query["host"]))
        fresh.replace(self._link)

    def kill(self, signal: Signals) -> None:
        """Take it down at once, SIGKILL or SIGQUIT, and wait until all of it is gone."""
        cluster = Cluster(self.root / ".pgdata", *find_binaries(), durable=True)
        os.kill(int((cluster.path() / "postmaster.pid").read_text().split()[0]), signal)
        wait_until_stopped(cluster)
        self._present.close()

    @property
    def _link(self) -> Path:
        return self.root / "socket"


@contextmanager
def crashing_server() -> Generator[CrashingServer]:
    """A new server that runs, removed at the end.

    Raises PostgresUnavailable.
    """
    # A socket's path is limited to about 100 bytes, and the account of the server comes by here.
    server = CrashingServer(Path(mkdtemp(prefix=PREFIX, dir=TMP)))
    server.root.chmod(0o755)
    try:
        server.start()
        yield server
        server.kill(SIGKILL)
    finally:
        shutil.rmtree(server.root, ignore_errors=True)
