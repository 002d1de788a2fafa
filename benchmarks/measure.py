"""Measurements of all targets in interleaved rounds, so that other load affects all equally."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from sqlalchemy import URL

from benchmarks.counting_proxy import RoundTripCounter, counting_proxy
from benchmarks.database import DEEP, delete_created_rows
from benchmarks.installation import AppUnavailable, InstalledApp
from benchmarks.load_generator import InvalidResponse, run_load, send_request
from benchmarks.servers import Server, running
from benchmarks.targets import TARGETS, Target
from benchmarks.tasks import CONNECTIONS, TASKS, Task

SECONDS_TO_SETTLE = 0.1
LogProgress = Callable[[str], None]


@dataclass
class Cell:
    """The measurements of one target and one task."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    utilization: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    round_trips: float | None = None
    error: str | None = None

    @property
    def rate(self) -> float:
        """Requests per second."""
        return median(self.rates)

    @property
    def cpu_per_request(self) -> float:
        """CPU seconds of the server process per request."""
        return median(self.cpu)

    @property
    def p99_latency(self) -> float:
        """The p99 latency in seconds."""
        return median(self.p99)


@dataclass
class Results:
    """All measurements, and the applications that failed."""

    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def count_round_trips(
    installed: dict[str, InstalledApp],
    database: URL,
    logs: Path,
    results: Results,
    *,
    requests: int,
) -> None:
    """Send requests one at a time, check the responses and count the round trips."""
    with counting_proxy(database) as (proxied, counter):
        for name, app in installed.items():
            try:
                with running(app, proxied, logs / f"{name}.counting.log") as server:
                    for target in TARGETS:
                        if target.app == name:
                            _count_target(target, server, database, counter, results, requests)
            except AppUnavailable as error:
                results.failures[name] = str(error)


def _count_target(
    target: Target,
    server: Server,
    database: URL,
    counter: RoundTripCounter,
    results: Results,
    repetitions: int,
) -> None:
    paths = _paths(target, server)
    for task in TASKS.values():
        if task.name not in paths:
            continue
        cell = results.cells[target.name, task.name] = Cell()
        try:
            cell.round_trips = round_trips(server, task, paths[task.name], counter, repetitions)
        except (InvalidResponse, OSError) as error:
            cell.error = str(error)
        if task.creates:
            delete_created_rows(database)


def round_trips(
    server: Server, task: Task, path: str, counter: RoundTripCounter, repetitions: int
) -> float:
    """Return the round trips per request.

    Raises:
        InvalidResponse: A response is not as expected.
    """
    requests = itertools.cycle(task.requests(path))
    # The first requests open connections and prepare statements.
    for _ in range(3):
        _send_and_check(server, next(requests), task)
    before = _total_after_settling(counter)
    for _ in range(repetitions):
        _send_and_check(server, next(requests), task)
    return (_total_after_settling(counter) - before) / repetitions


def _total_after_settling(counter: RoundTripCounter) -> int:
    # Some targets end their transaction after the response.
    time.sleep(SECONDS_TO_SETTLE)
    return counter.total


def _paths(target: Target, server: Server) -> dict[str, str]:
    return {task: with_cursor(path, server) for task, path in target.paths.items()}


def with_cursor(path: str, server: Server) -> str:
    """Replace `{cursor}` in a path by the cursor of the deep page."""
    if "{cursor}" not in path:
        return path
    request = f"GET /measured/cursor?offset={DEEP} HTTP/1.1\r\nhost: localhost\r\n\r\n"
    _status, cursor = send_request(server.port, request.encode())
    return path.replace("{cursor}", cursor)


def _send_and_check(server: Server, request: bytes, task: Task) -> None:
    status, response = send_request(server.port, request)
    if status // 100 != 2:
        raise InvalidResponse(f"status {status}: {str(response)[:200]}")
    if not task.is_valid_response(response):
        raise InvalidResponse(f"unexpected response: {str(response)[:200]}")


def measure(
    installed: dict[str, InstalledApp],
    database: URL,
    logs: Path,
    results: Results,
    *,
    rounds: int,
    seconds: float,
    log_progress: LogProgress,
) -> None:
    """Measure each target with each task, in interleaved rounds."""
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for name, app in installed.items():
            if name not in results.failures:
                log = logs / f"{name}.log"
                servers[name] = stack.enter_context(running(app, database, log))
        paths = {
            target.name: _paths(target, servers[target.app])
            for target in TARGETS
            if target.app in servers
        }
        for round_number, task, target in _rounds(rounds):
            cell = results.cells.get((target.name, task.name))
            if cell is None or cell.error:
                continue
            server = servers[target.app]
            try:
                load(cell, server, task, paths[target.name][task.name], seconds)
            except (InvalidResponse, OSError) as error:
                cell.error = str(error)
                log_progress(f"round {round_number} {task.name:3} {target.name:24} {error}")
                continue
            if task.creates:
                delete_created_rows(database)
            log_progress(
                f"round {round_number} {task.name:3} {target.name:24} {cell.rates[-1]:8.0f}/s "
                f"{cell.cpu[-1] * 1e6:8.0f} µs CPU  {cell.utilization[-1]:4.0%} of its core"
            )


def _rounds(rounds: int) -> Iterator[tuple[int, Task, Target]]:
    for round_number in range(1, rounds + 1):
        for task in TASKS.values():
            for target in TARGETS:
                yield round_number, task, target


def load(cell: Cell, server: Server, task: Task, path: str, seconds: float) -> None:
    """Send requests of one task for some seconds, and add the measurements to the cell.

    Raises:
        InvalidResponse: A response is an error.
    """
    requests = itertools.cycle(task.requests(path))

    # Warm-up: open connections and prepare statements.
    run_load(server.port, requests, connections=CONNECTIONS, seconds=seconds / 4)
    before, started = server.cpu(), time.perf_counter()
    result = run_load(server.port, requests, connections=CONNECTIONS, seconds=seconds)
    if result.failed_at:
        raise InvalidResponse(f"{task.name}: {dict(result.statuses)}")
    cpu_seconds, took = server.cpu() - before, time.perf_counter() - started
    cell.rates.append(result.rate)
    cell.cpu.append(cpu_seconds / result.responses)
    cell.utilization.append(cpu_seconds / took)
    cell.p99.append(result.percentile(99))
