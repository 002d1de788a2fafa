"""`uv run python -m benchmarks`: a quarter of an hour; `--quick`: two minutes."""

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL

from benchmarks import database, overhead, overload, programs, report, restart
from benchmarks.lineup import PEERS, PROGRAMS, SERVICE
from benchmarks.measure import Results, count_round_trips, measure
from benchmarks.servers import OTHER_CORE, SERVER_CORE
from benchmarks.workload import CONNECTIONS

STARTED = time.monotonic()


def main() -> None:
    """Measure, and write what was found into docs/benchmarks.md."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    asked.add_argument("--quick", action="store_true", help="one short round, without peers")
    asked.add_argument("--overload", action="store_true", help="only this; writes nothing")
    asked.add_argument("--python", default=sys.executable, help="the interpreter of all servers")
    arguments = asked.parse_args()
    # As on Ctrl-C: by way of every `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # PostgreSQL and the load generator; what is measured has a core of its own.
    os.sched_setaffinity(0, {OTHER_CORE})
    place = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    try:
        if arguments.overload:
            overload_alone(place, arguments.python, quick=arguments.quick)
        else:
            run(place, arguments.python, quick=arguments.quick)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def run(place: Path, interpreter: str, *, quick: bool) -> None:
    # Before any work of its own.
    before = os.getloadavg()[0]
    results = Results()
    ready = {}
    for name, program in PROGRAMS.items():
        if quick and name in PEERS:
            results.failures[name] = "a quick run is without peers"
            continue
        tell(f"installing {name}")
        try:
            ready[name] = programs.prepare(program, place, interpreter)
        except programs.NotReady as problem:
            if name == SERVICE:
                raise
            results.failures[name] = str(problem)
            tell(f"  not to be had: {problem}")
    with database.server() as url:
        tell("filling the tables")
        programs.migrate(ready[SERVICE], url.render_as_string(hide_password=False))
        database.fill(url)
        tell("counting round trips")
        count_round_trips(ready, url, place, results, requests=3 if quick else 10)
        for name, why in results.failures.items():
            tell(f"  {name} cannot be measured: {why}")
        for (contender, work), cell in results.cells.items():
            tell(f"  {contender:24} {work:3} {cell.wrong or cell.round_trips}")
        rounds, seconds = (1, 0.5) if quick else (5, 2.0)
        measure(ready, url, place, results, rounds=rounds, seconds=seconds, tell=tell)
        overheads = overhead.measure(
            ready["plain"],
            ready[SERVICE],
            url,
            place,
            rounds=rounds,
            seconds=seconds,
            tell=tell,
        )
        loads = overloaded(ready[SERVICE], url, place, quick=quick)
        said = conditions(ready[SERVICE], url, rounds=rounds, seconds=seconds, load=before)
    tell("restarting PostgreSQL below the service")
    restarts = restart.measure(ready, ready[SERVICE], place)
    for name, found in restarts.items():
        tell(f"  {name}: {found}")
    report.write(results, overheads, loads, restarts, said)
    tell(f"written: {report.PAGE}")


def overload_alone(place: Path, interpreter: str, *, quick: bool) -> None:
    """For who works on the gate."""
    tell(f"installing {SERVICE}")
    service = programs.prepare(PROGRAMS[SERVICE], place, interpreter)
    with database.server() as url:
        programs.migrate(service, url.render_as_string(hide_password=False))
        database.fill(url)
        overloaded(service, url, place, quick=quick)


def overloaded(
    service: programs.Ready, url: URL, place: Path, *, quick: bool
) -> list[overload.Overload]:
    rounds, seconds = (1, 0.5) if quick else (3, 3.0)
    loads = overload.measure(service, url, place, rounds=rounds, seconds=seconds, tell=tell)
    for load in loads:
        tell(f"  {load}")
    return loads


def conditions(
    service: programs.Ready, url: URL, *, rounds: int, seconds: float, load: float
) -> list[str]:
    """Under which the figures were taken."""
    installed = programs.versions(service)
    names = ("fastapi", "pydantic", "sqlalchemy", "asyncpg", "uvicorn", "uvloop", "httptools")
    return [
        programs.interpreter(service),
        ", ".join(f"{name} {installed[name]}" for name in names),
        f"PostgreSQL {database.version(url)}, its data in memory, without fsync",
        f"{cpu_model()}; core {SERVER_CORE} for the server, core {OTHER_CORE} for the others",
        f"{CONNECTIONS} connections; the median of {rounds} rounds of {seconds:g} s each",
        f"{datetime.now(UTC):%Y-%m-%d}; {_others(load)}",
    ]


def _others(load: float) -> str:
    said = f"load average before it began: {load:.1f}"
    return f"{said}; other programs were at work, so take these figures again" if load > 1 else said


def cpu_model() -> str:
    """What the processor calls itself, and how many cores there are."""
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return f"{found[1] if found else 'unknown processor'}, {os.cpu_count()} cores"


def tell(what: str) -> None:
    """Show that something happens."""
    sys.stderr.write(f"{time.monotonic() - STARTED:6.1f} s  {what}\n")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
