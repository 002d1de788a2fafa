"""PostgreSQL is restarted below a service: what its clients see, at rest and under load."""

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

from benchmarks import database, programs
from benchmarks.generator import Load, ask, drive
from benchmarks.lineup import CONTENDERS, Contender
from benchmarks.programs import Ready
from benchmarks.servers import running
from benchmarks.workload import CONNECTIONS, WORKS
from local_postgres import development
from local_postgres.binaries import find_binaries
from local_postgres.server import wait_until_stopped
from local_postgres.supervisor import Cluster

WATCHED = ("this service", "widespread pattern")
SECONDS = 5.0


@dataclass(frozen=True)
class Restart:
    """What a restart did to one contender."""

    # Of as many requests as there are connections in the pool, afterwards.
    failed_at_rest: int
    # From when PostgreSQL took connections again until the last failure, in seconds.
    back_after: float
    failed_under_load: int
    answered_under_load: int


@dataclass
class Durable:
    """A server that keeps its data. Each start has another socket: `url` is by way of a link."""

    root: Path
    present: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> URL:
        """Where it answers, when it does."""
        query = {"host": str(self.root / "socket")}
        return URL.create("postgresql+asyncpg", "postgres", database="postgres", query=query)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        url = self.present.enter_context(development(self.root))
        fresh = self.root / "fresh"
        fresh.symlink_to(str(url.query["host"]))
        fresh.replace(self.root / "socket")

    def restart(self) -> float:
        """Stop it as an administrator would, start it, and say when it took connections again."""
        cluster = Cluster(self.root / ".pgdata", *find_binaries(), durable=True)
        os.kill(int((cluster.path() / "postmaster.pid").read_text().split()[0]), signal.SIGINT)
        wait_until_stopped(cluster)
        self.present.close()
        self.start()
        return time.perf_counter()


@contextmanager
def durable() -> Iterator[Durable]:
    """A server of its own, removed at the end."""
    # The account of PostgreSQL comes by here.
    root = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    root.chmod(0o755)
    server = Durable(root)
    try:
        with server.present:
            server.start()
            yield server
    finally:
        shutil.rmtree(root, ignore_errors=True)


def measure(ready: dict[str, Ready], service: Ready, logs: Path) -> dict[str, Restart]:
    """Restart it below each contender that is watched."""
    with durable() as server:
        programs.migrate(service, server.url.render_as_string(hide_password=False))
        database.fill(server.url)
        return {
            contender.name: _restart(contender, ready[contender.program], server, logs)
            for contender in CONTENDERS
            if contender.name in WATCHED and contender.program in ready
        }


def _restart(contender: Contender, program: Ready, server: Durable, logs: Path) -> Restart:
    requests = itertools.cycle(WORKS["R1"].requests(contender.paths["R1"]))
    with running(program, server.url, logs / f"{program.program.name}.restart.log") as running_one:
        port = running_one.port
        # Every connection of the pool is open, and none in use.
        drive(port, requests, connections=CONNECTIONS, seconds=1)
        server.restart()
        after = [ask(port, next(requests))[0] for _ in range(2 * CONNECTIONS)]
        loads: list[Load] = []

        def load() -> None:
            loads.append(drive(port, requests, connections=CONNECTIONS, seconds=SECONDS))

        thread = threading.Thread(target=load)
        thread.start()
        time.sleep(SECONDS / 5)
        back = server.restart()
        thread.join()
    (met,) = loads
    return Restart(
        failed_at_rest=sum(status // 100 != 2 for status in after),
        back_after=max(0.0, max(met.failed_at, default=0.0) - back),
        failed_under_load=len(met.failed_at),
        answered_under_load=met.answers - len(met.failed_at),
    )
