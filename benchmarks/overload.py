"""How long 256 clients wait who share 16 connections, with the gate of the kit and without.

The service is loaded by 16 clients, which is all that can be at work, and by 256, in turn. Ratios
are to 16 clients of the same server, round by round. Nobody can make 256 clients wait for less than
256 / (answers per second): `fair` is the p99 in this unit, about 1 where nobody is overtaken.
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
from benchmarks.generator import Load, drive, request
from benchmarks.programs import Ready
from benchmarks.servers import running
from benchmarks.workload import CONNECTIONS

CLIENTS = (CONNECTIONS, 256)
# Without: a number of places that is never reached.
SERVERS = {"with the gate": CONNECTIONS, "without": 10_000}
AUTHOR = database.author(1)


@dataclass(frozen=True)
class Overload:
    """What some clients met at a server, by medians of the rounds."""

    work: str
    server: str
    clients: int
    rate: float
    ratio: float
    p50: float
    p99: float
    fair: float
    errors: Counter[int]


def reads() -> Iterator[bytes]:
    """One row by its key, by a view."""
    return repeat(request("GET", f"/measured/view/{post(1)}"))


def mixed() -> Iterator[bytes]:
    """A row by its key, a list with relations, a new row, in turn."""
    run = uuid4().hex
    for number in count():
        yield request("GET", f"/measured/view/{post(1)}")
        yield request("GET", "/measured/posts?limit=20")
        yield request("POST", "/measured/view", {"title": f"{run}-{number}", "author_id": AUTHOR})


WORKS = {"reads": reads, "mixed": mixed}


def measure(
    service: Ready,
    url: URL,
    logs: Path,
    *,
    rounds: int,
    seconds: float,
    tell: Callable[[str], None],
) -> list[Overload]:
    """Load both servers, in interleaved rounds; the first warms up and is not counted."""
    loads: dict[tuple[str, int, str], list[Load]] = {}
    with ExitStack() as until_the_end:
        servers = {
            name: until_the_end.enter_context(
                running(service, url, logs / f"gate-{places}.log", HTTP_CONCURRENCY=str(places))
            )
            for name, places in SERVERS.items()
        }
        for number in range(rounds + 1):
            tell(f"overload, round {number} of {rounds}")
            for case in product(WORKS, CLIENTS, servers):
                work, clients, name = case
                load = drive(
                    servers[name].port,
                    WORKS[work](),
                    connections=clients,
                    seconds=seconds if number else 1,
                )
                if number:
                    loads.setdefault(case, []).append(load)
            database.forget_what_was_created(url)
    return [
        _found(*case, met, loads[case[0], CONNECTIONS, case[2]])
        for case, met in loads.items()
        if case[1] != CONNECTIONS
    ]


def _found(
    work: str, clients: int, server: str, loads: list[Load], uncontended: list[Load]
) -> Overload:
    # Round by round: the rest of the machine is about as busy for both.
    pairs = zip(loads, uncontended, strict=True)
    answered = sum((load.statuses for load in loads), Counter[int]())
    return Overload(
        work,
        server,
        clients,
        rate=median(load.rate for load in loads),
        ratio=median(load.rate / base.rate for load, base in pairs),
        p50=median(load.percentile(50) for load in loads),
        p99=median(load.percentile(99) for load in loads),
        fair=median(load.percentile(99) * load.rate / clients for load in loads),
        errors=Counter({status: n for status, n in answered.items() if status // 100 != 2}),
    )
