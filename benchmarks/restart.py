"""Failed requests during a restart of PostgreSQL, when idle and under load."""

import itertools
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL

from benchmarks import database, installation
from benchmarks.installation import InstalledApp
from benchmarks.load_generator import LoadResult, run_load, send_request
from benchmarks.servers import running
from benchmarks.targets import TARGETS, Target
from benchmarks.tasks import CONNECTIONS, TASKS
from local_postgres import development
from local_postgres.binaries import find_binaries
from local_postgres.server import wait_until_stopped
from local_postgres.supervisor import Cluster

MEASURED_TARGETS = ("this service", "typical app")
SECONDS = 5.0


@dataclass(frozen=True)
class Restart:
    """The results of one target."""

    # Failures among 2 * CONNECTIONS requests after a restart without load.
    failed_when_idle: int
    # Seconds from when PostgreSQL accepts connections until the last failure.
    recovery_time: float
    failed_under_load: int
    succeeded_under_load: int


@dataclass
class PersistentServer:
    """A server that keeps its data, with a stable URL: each start creates another socket."""

    root: Path
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> URL:
        """The URL of the server, with a symbolic link to the current socket."""
        query = {"host": str(self.root / "socket")}
        return URL.create("postgresql+asyncpg", "postgres", database="postgres", query=query)

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        url = self.stack.enter_context(development(self.root))
        new_link = self.root / "new-socket"
        new_link.symlink_to(str(url.query["host"]))
        new_link.replace(self.root / "socket")

    def restart(self) -> float:
        """Restart the server in fast mode; return the time when it accepts connections."""
        cluster = Cluster(self.root / ".pgdata", *find_binaries(), durable=True)
        os.kill(int((cluster.path() / "postmaster.pid").read_text().split()[0]), signal.SIGINT)
        wait_until_stopped(cluster)
        self.stack.close()
        self.start()
        return time.perf_counter()


@contextmanager
def persistent_server() -> Iterator[PersistentServer]:
    """Create a server, and remove it at the end."""
    # The account of PostgreSQL must be able to enter the directory.
    root = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    root.chmod(0o755)
    server = PersistentServer(root)
    try:
        with server.stack:
            server.start()
            yield server
    finally:
        shutil.rmtree(root, ignore_errors=True)


def measure(
    installed: dict[str, InstalledApp], service: InstalledApp, logs: Path
) -> dict[str, Restart]:
    """Measure the targets in MEASURED_TARGETS."""
    with persistent_server() as server:
        installation.migrate(service, server.url.render_as_string(hide_password=False))
        database.insert_rows(server.url)
        return {
            target.name: _restart(target, installed[target.app], server, logs)
            for target in TARGETS
            if target.name in MEASURED_TARGETS and target.app in installed
        }


def _restart(target: Target, app: InstalledApp, server: PersistentServer, logs: Path) -> Restart:
    requests = itertools.cycle(TASKS["R1"].requests(target.paths["R1"]))
    with running(app, server.url, logs / f"{app.app.name}.restart.log") as running_server:
        port = running_server.port
        # Opens every connection of the pool.
        run_load(port, requests, connections=CONNECTIONS, seconds=1)
        server.restart()
        statuses = [send_request(port, next(requests))[0] for _ in range(2 * CONNECTIONS)]
        loads: list[LoadResult] = []

        def load() -> None:
            loads.append(run_load(port, requests, connections=CONNECTIONS, seconds=SECONDS))

        thread = threading.Thread(target=load)
        thread.start()
        time.sleep(SECONDS / 5)
        accepting_at = server.restart()
        thread.join()
    (result,) = loads
    return Restart(
        failed_when_idle=sum(status // 100 != 2 for status in statuses),
        recovery_time=max(0.0, max(result.failed_at, default=0.0) - accepting_at),
        failed_under_load=len(result.failed_at),
        succeeded_under_load=result.responses - len(result.failed_at),
    )
