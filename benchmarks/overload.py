"""Latency of 256 clients on 16 connections, with and without the concurrency limiter.

The service gets requests from 16 clients and from 256 clients, alternately. Ratios compare both in
the same round. The ideal latency of 256 clients is 256 / (responses per second). `fairness` is the
p99 divided by the ideal latency: about 1 if requests are served in FIFO order.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, product, repeat
from pathlib import Path
from statistics import median
from uuid import uuid4

from sqlalchemy import URL

from benchmarks import database
from benchmarks.database import post
from benchmarks.installation import InstalledApp
from benchmarks.load_generator import LoadResult, request, run_load
from benchmarks.servers import running
from benchmarks.tasks import CONNECTIONS

CLIENTS = (CONNECTIONS, 256)
# "without": a limit that is never reached.
SERVERS = {"with": CONNECTIONS, "without": 10_000}
AUTHOR = database.author(1)


@dataclass(frozen=True)
class Overload:
    """The measurements of one task, server and number of clients, as medians of the rounds."""

    task: str
    server: str
    clients: int
    rate: float
    ratio: float
    p50: float
    p99: float
    fairness: float
    errors: Counter[int]


def reads() -> Iterator[bytes]:
    """Read one row by primary key, with a view."""
    return repeat(request("GET", f"/measured/view/{post(1)}"))


def mixed() -> Iterator[bytes]:
    """Alternate between one row, a list with relationships and a new row."""
    run = uuid4().hex
    for number in count():
        yield request("GET", f"/measured/view/{post(1)}")
        yield request("GET", "/measured/posts?limit=20")
        yield request("POST", "/measured/view", {"title": f"{run}-{number}", "author_id": AUTHOR})


TASKS = {"reads": reads, "mixed": mixed}


def measure(
    service: InstalledApp,
    url: URL,
    logs: Path,
    *,
    rounds: int,
    seconds: float,
    log_progress: Callable[[str], None],
) -> list[Overload]:
    """Measure both servers in interleaved rounds, after one round of warm-up."""
    loads: dict[tuple[str, int, str], list[LoadResult]] = {}
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(
                running(service, url, logs / f"limit-{limit}.log", HTTP_CONCURRENCY=str(limit))
            )
            for name, limit in SERVERS.items()
        }
        for round_number in range(rounds + 1):
            log_progress(f"overload, round {round_number} of {rounds}")
            for case in product(TASKS, CLIENTS, servers):
                task, clients, name = case
                load = run_load(
                    servers[name].port,
                    TASKS[task](),
                    connections=clients,
                    seconds=seconds if round_number else 1,
                )
                if round_number:
                    loads.setdefault(case, []).append(load)
            database.delete_created_rows(url)
    return [
        _summarize(*case, result, loads[case[0], CONNECTIONS, case[2]])
        for case, result in loads.items()
        if case[1] != CONNECTIONS
    ]


def _summarize(
    task: str, clients: int, server: str, loads: list[LoadResult], baseline: list[LoadResult]
) -> Overload:
    # Compare within a round, because both have about the same other load on the machine.
    pairs = zip(loads, baseline, strict=True)
    statuses = sum((load.statuses for load in loads), Counter[int]())
    return Overload(
        task,
        server,
        clients,
        rate=median(load.rate for load in loads),
        ratio=median(load.rate / base.rate for load, base in pairs),
        p50=median(load.percentile(50) for load in loads),
        p99=median(load.percentile(99) for load in loads),
        fairness=median(load.percentile(99) * load.rate / clients for load in loads),
        errors=Counter({status: count for status, count in statuses.items() if status // 100 != 2}),
    )
