"""What each pattern saves: the same work with it and without, turn by turn.

    uv run python -m benchmarks.savings --python /usr/bin/python3

It renders the default service, starts PostgreSQL with 100,000 posts, and a server for each side.
What it finds goes into docs/savings.md.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import URL

from benchmarks import database, programs, savings_report
from benchmarks.__main__ import conditions, tell
from benchmarks.database import forget_what_was_created
from benchmarks.lineup import PROGRAMS, SERVICE
from benchmarks.measure import Cell, load, round_trips, with_cursor
from benchmarks.programs import Ready
from benchmarks.savings_lineup import PATTERNS, Pattern, Side
from benchmarks.servers import OTHER_CORE, Server, running
from benchmarks.wire import counting
from benchmarks.workload import WORKS

CHECKED = 5


@dataclass(frozen=True)
class Bench:
    """Where it is measured."""

    service: Ready
    url: URL
    logs: Path

    @contextmanager
    def serving(self, side: Side, url: URL) -> Iterator[tuple[Server, str]]:
        """A server of this side, and the path with its cursor."""
        program = replace(self.service.program, application=side.application)
        ready = replace(self.service, program=program)
        with running(ready, url, self.logs / "savings.log", **side.variables) as server:
            yield server, with_cursor(side.path, server)


def main() -> None:
    """Measure, and write what was found into docs/savings.md."""
    asked = argparse.ArgumentParser(description="What each pattern saves")
    asked.add_argument("--rounds", type=int, default=15)
    asked.add_argument("--seconds", type=float, default=0.5, help="of each side in a round")
    asked.add_argument("--python", default=sys.executable, help="the interpreter of the service")
    given = asked.parse_args()
    # As on Ctrl-C: by way of every `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    before = os.getloadavg()[0]
    os.sched_setaffinity(0, {OTHER_CORE})
    place = Path(tempfile.mkdtemp(prefix="savings-"))
    try:
        tell("installing the service")
        service = programs.prepare(PROGRAMS[SERVICE], place, given.python)
        with database.server() as url:
            programs.migrate(service, url.render_as_string(hide_password=False))
            database.fill(url)
            bench = Bench(service, url, place)
            found = [measure(bench, it, given.rounds, given.seconds) for it in PATTERNS]
            said = conditions(service, url, rounds=given.rounds, seconds=given.seconds, load=before)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    savings_report.write(list(zip(PATTERNS, found, strict=True)), said)
    tell(f"written: {savings_report.PAGE}")


def measure(bench: Bench, pattern: Pattern, rounds: int, seconds: float) -> tuple[Cell, Cell]:
    """What the work takes with a pattern and without; raises WrongAnswer."""
    work, cells = WORKS[pattern.work], (Cell(), Cell())
    sides = (pattern.on, pattern.off)
    for cell, side in zip(cells, sides, strict=True):
        with (
            counting(bench.url) as (proxied, count),
            bench.serving(side, proxied) as (server, path),
        ):
            cell.round_trips = round_trips(server, work, path, count, CHECKED)
        forget_what_was_created(bench.url)
    with ExitStack() as stack:
        servers = [stack.enter_context(bench.serving(side, bench.url)) for side in sides]
        for _ in range(rounds):
            for cell, (server, path) in zip(cells, servers, strict=True):
                load(cell, server, work, path, seconds)
                if work.creates:
                    forget_what_was_created(bench.url)
    on, off = cells
    tell(f"{pattern.work:3} {pattern.name}: {on.cost * 1e6:,.0f} µs, else {off.cost * 1e6:,.0f}")
    return cells


if __name__ == "__main__":
    main()
