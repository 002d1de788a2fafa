"""What a hundred times the rows cost: the same questions to a small and to a large database.

    uv run python -m benchmarks.scale --python /usr/bin/python3

It renders the service, starts PostgreSQL, fills two databases by the service's own COPY, and asks a
server on each in turn. What it finds goes into docs/scale.md. The rows need about 0.6 kB each, in
memory where there is room.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from benchmarks import database, programs, scale_report
from benchmarks.__main__ import cpu_model, tell
from benchmarks.lineup import PROGRAMS, SERVICE
from benchmarks.scale_side import Rows, Side, program, resident
from benchmarks.scale_work import INDEXES, SEARCHES, WORK, Found
from benchmarks.servers import OTHER_CORE, running
from local_postgres import ephemeral

ROUNDS = 15
SECONDS_EACH = 3.0
SMALLER = 100
SEARCH = "search users"


def main() -> None:
    """Measure, and write what was found into docs/scale.md."""
    asked = argparse.ArgumentParser(description="A hundred times the rows")
    asked.add_argument("--users", type=int, default=1_000_000)
    asked.add_argument("--posts", type=int, default=10_000_000)
    asked.add_argument("--exported", type=int, default=10_000_000, help="stop the export here")
    asked.add_argument("--python", default=sys.executable, help="the interpreter of the service")
    given = asked.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    load = os.getloadavg()[0]
    os.sched_setaffinity(0, {OTHER_CORE})
    place = Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        tell("installing the service")
        service = programs.prepare(PROGRAMS[SERVICE], place, given.python)
        with ephemeral() as url, ExitStack() as stack:
            databases = [
                Rows("small", given.users // SMALLER, given.posts // SMALLER, url),
                Rows("large", given.users, given.posts, url),
            ]
            filled = [fill(rows, service) for rows in databases]
            sides = [stack.enter_context(served(rows, service, place)) for rows in databases]
            ask(sides, WORK)
            plan(sides, service)
            indexed = index(sides)
            if indexed:
                ask(sides, SEARCHES)
                plan(sides, service, SEARCH)
            for side in sides:
                export(side, given.exported)
            said = [
                programs.interpreter(service),
                f"PostgreSQL {database.version(url)}, its data in memory, without fsync",
                f"{cpu_model()}; load average before it began: {load:.1f}",
                *filled,
            ]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    scale_report.write(sides, said, indexed)
    tell(f"written: {scale_report.PAGE}")


def fill(rows: Rows, service: programs.Ready) -> str:
    """Make and fill a database; how fast."""
    database.run(rows.url, f"CREATE DATABASE {rows.name}")
    rows.url = rows.url.set(database=rows.name)
    programs.migrate(service, rows.url.render_as_string(hide_password=False))
    last: dict[str, str] = {}
    command = ["benchmarks.filling", str(rows.users), str(rows.posts)]
    for line in program(service, rows.url, *command):
        table, done, count, rate = line.split()
        last[table] = f"{int(count):,} {table} at {int(rate):,} a second"
        tell(f"{rows.name}: {table} {int(done) * 100 // int(count):3} %  {int(rate):7,}/s")
    database.run(rows.url, "VACUUM (ANALYZE)")
    return f"{rows.name}: filled by COPY, {', '.join(last.values())}"


@contextmanager
def served(rows: Rows, service: programs.Ready, place: Path) -> Iterator[Side]:
    """The service on a database that is filled; its log is in `place`."""
    with running(service, rows.url, place / f"{rows.name}.log") as server:
        yield Side(rows.name, rows.users, rows.posts, rows.url, server)


def ask(sides: list[Side], work: list[Found]) -> None:
    """Ask each question in turn of both, until its time is over."""
    for question in work:
        for side in sides:
            # The server hangs up on who was silent for some seconds; it connects again by itself.
            side.connection.close()
        paths = [question.path(side.content) for side in sides]
        taken: list[list[float]] = [[] for _ in sides]
        started = time.monotonic()
        while len(taken[0]) < ROUNDS:
            for side, path, seconds in zip(sides, paths, taken, strict=True):
                took, status, content = side.get(path)
                if status != 200:
                    tell(f"{question.name}, {side.name}: {status} {content[:100]!r}")
                seconds.append(took if status == 200 else float("inf"))
            if time.monotonic() - started > SECONDS_EACH:
                break
        for side, seconds in zip(sides, taken, strict=True):
            # The first one plans and, after the filling, meets cold caches.
            side.seconds[question.name] = median(seconds[1:] or seconds)
        told = "  ".join(f"{side.seconds[question.name] * 1e3:10.1f} ms" for side in sides)
        tell(f"{question.name:45} {told}")


def plan(sides: list[Side], service: programs.Ready, *names: str) -> None:
    """Note how PostgreSQL answers what has these names, or all, on the large one."""
    small, large = sides
    ending = ", with the index" if names else ""
    explained = database.driver_url(large.url)
    printed = "".join(program(service, small.url, "benchmarks.plans", explained, *names))
    large.plans |= {f"{name}{ending}": plans for name, plans in json.loads(printed).items()}


def index(sides: list[Side]) -> bool:
    """Make the indexes that docs/database.md of the service tells of; whether that was possible."""
    for side in sides:
        started = time.monotonic()
        try:
            database.run(side.url, "CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except Exception as problem:
            tell(f"no pg_trgm here: {problem}")
            return False
        for statement in INDEXES:
            database.run(side.url, statement)
        database.run(side.url, "VACUUM (ANALYZE) users")
        tell(f"{side.name}: trigram indexes made in {time.monotonic() - started:.1f} s")
    return True


def export(side: Side, rows: int) -> None:
    """Read the export as it comes, and note the memory of the server each tenfold of rows."""
    rows = min(rows, side.posts)
    side.connection.close()
    side.memory.append((0, resident(side)))
    answer, sent, started = side.open("/measured/export"), 0, time.monotonic()
    marks = sorted({rows, *(10**power for power in range(3, 8) if 10**power < rows)})
    while sent < rows and (part := answer.read1(1 << 18)):
        sent += part.count(b"\n")
        while marks and sent >= marks[0]:
            side.memory.append((marks.pop(0), resident(side)))
            tell(f"{side.name}: export of {sent:10,} rows, {side.memory[-1][1]:6.1f} MB resident")
    if sent < rows:
        raise RuntimeError(f"the export of {side.name} ended after {sent:,} of {rows:,} rows")
    side.rows_a_second = sent / (time.monotonic() - started)
    answer.close()


if __name__ == "__main__":
    main()
