"""Measures: interleaved rounds, so that whatever the machine does meets all alike."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from sqlalchemy import URL

from benchmarks.database import DEEP, forget_what_was_created
from benchmarks.generator import WrongAnswer, ask, drive
from benchmarks.lineup import CONTENDERS, Contender
from benchmarks.programs import NotReady, Ready
from benchmarks.servers import Server, running
from benchmarks.wire import Count, counting
from benchmarks.workload import CONNECTIONS, WORKS, Work

SECONDS_TO_SETTLE = 0.1
Tell = Callable[[str], None]


@dataclass
class Cell:
    """What was found of one contender and one kind of work."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    round_trips: float | None = None
    wrong: str | None = None

    @property
    def rate(self) -> float:
        """Requests per second."""
        return median(self.rates)

    @property
    def cost(self) -> float:
        """Seconds of CPU of the server process for a request."""
        return median(self.cpu)

    @property
    def slowest(self) -> float:
        """Seconds that one in a hundred exceeds."""
        return median(self.p99)


@dataclass
class Results:
    """Every cell, and what could not be measured."""

    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def count_round_trips(
    ready: dict[str, Ready], database: URL, logs: Path, results: Results, *, requests: int
) -> None:
    """Check the answers to so many requests and count what they take, one at a time."""
    with counting(database) as (proxied, count):
        for name, program in ready.items():
            try:
                with running(program, proxied, logs / f"{name}.counting.log") as server:
                    for contender in CONTENDERS:
                        if contender.program == name:
                            _count(contender, server, database, count, results, requests)
            except NotReady as problem:
                results.failures[name] = str(problem)


def _count(
    contender: Contender, server: Server, database: URL, count: Count, results: Results, asked: int
) -> None:
    paths = _paths(contender, server)
    for work in WORKS.values():
        if work.name not in paths:
            continue
        cell = results.cells[contender.name, work.name] = Cell()
        try:
            cell.round_trips = round_trips(server, work, paths[work.name], count, asked)
        except (WrongAnswer, OSError) as problem:
            cell.wrong = str(problem)
        if work.creates:
            forget_what_was_created(database)


def round_trips(server: Server, work: Work, path: str, count: Count, asked: int) -> float:
    """What an answer takes, of so many that are checked; raises WrongAnswer."""
    requests = itertools.cycle(work.requests(path))
    # The first ones connect and prepare.
    for _ in range(3):
        _checked(server, next(requests), work)
    before = _settled(count)
    for _ in range(asked):
        _checked(server, next(requests), work)
    return (_settled(count) - before) / asked


def _settled(count: Count) -> int:
    # Some have an end of their transaction that comes after the answer.
    time.sleep(SECONDS_TO_SETTLE)
    return count.trips


def _paths(contender: Contender, server: Server) -> dict[str, str]:
    return {work: with_cursor(path, server) for work, path in contender.paths.items()}


def with_cursor(path: str, server: Server) -> str:
    """The path, with the cursor of the deep page where it has a place for one."""
    if "{cursor}" not in path:
        return path
    request = f"GET /measured/cursor?offset={DEEP} HTTP/1.1\r\nhost: localhost\r\n\r\n"
    _status, cursor = ask(server.port, request.encode())
    return path.replace("{cursor}", cursor)


def _checked(server: Server, request: bytes, work: Work) -> None:
    status, answer = ask(server.port, request)
    if status // 100 != 2:
        raise WrongAnswer(f"answered {status}: {str(answer)[:200]}")
    if not work.answers_rightly(answer):
        raise WrongAnswer(f"answered {str(answer)[:200]}")


def measure(
    ready: dict[str, Ready],
    database: URL,
    logs: Path,
    results: Results,
    *,
    rounds: int,
    seconds: float,
    tell: Tell,
) -> None:
    """Load each contender with each kind of work, in rounds."""
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for name, program in ready.items():
            if name not in results.failures:
                log = logs / f"{name}.log"
                servers[name] = stack.enter_context(running(program, database, log))
        paths = {
            contender.name: _paths(contender, servers[contender.program])
            for contender in CONTENDERS
            if contender.program in servers
        }
        for turn, work, contender in _turns(rounds):
            cell = results.cells.get((contender.name, work.name))
            if cell is None or cell.wrong:
                continue
            server = servers[contender.program]
            try:
                load(cell, server, work, paths[contender.name][work.name], seconds)
            except (WrongAnswer, OSError) as problem:
                cell.wrong = str(problem)
                tell(f"round {turn} {work.name:3} {contender.name:24} {problem}")
                continue
            if work.creates:
                forget_what_was_created(database)
            tell(
                f"round {turn} {work.name:3} {contender.name:24} {cell.rates[-1]:8.0f}/s "
                f"{cell.cpu[-1] * 1e6:8.0f} µs CPU  {cell.busy[-1]:4.0%} of its core"
            )


def _turns(rounds: int) -> Iterator[tuple[int, Work, Contender]]:
    for turn in range(1, rounds + 1):
        for work in WORKS.values():
            for contender in CONTENDERS:
                yield turn, work, contender


def load(cell: Cell, server: Server, work: Work, path: str, seconds: float) -> None:
    """Ask for one kind of work for so long, and add what was found; raises WrongAnswer."""
    requests = itertools.cycle(work.requests(path))

    # Connect and prepare.
    drive(server.port, requests, connections=CONNECTIONS, seconds=seconds / 4)
    before, started = server.cpu(), time.perf_counter()
    found = drive(server.port, requests, connections=CONNECTIONS, seconds=seconds)
    if found.failed_at:
        raise WrongAnswer(f"{work.name}: {dict(found.statuses)}")
    used, took = server.cpu() - before, time.perf_counter() - started
    cell.rates.append(found.rate)
    cell.cpu.append(used / found.answers)
    cell.busy.append(used / took)
    cell.p99.append(found.percentile(99))
