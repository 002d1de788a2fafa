"""Run the benchmarks: `uv run python -m benchmarks` (15 minutes) or `--quick` (2 minutes)."""

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

from benchmarks import database, installation, overhead, overload, report, restart
from benchmarks.measure import Results, count_round_trips, measure
from benchmarks.servers import OTHER_CORE, SERVER_CORE
from benchmarks.targets import APPS, SERVICE, SIMILAR_PROJECTS
from benchmarks.tasks import CONNECTIONS

STARTED = time.monotonic()


def main() -> None:
    """Measure, and write the results into docs/benchmarks.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one short round, without similar projects"
    )
    parser.add_argument(
        "--overload", action="store_true", help="only measure overload; write no file"
    )
    parser.add_argument("--python", default=sys.executable, help="the interpreter of all servers")
    arguments = parser.parse_args()
    # As Ctrl-C does: run every `finally` block.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # PostgreSQL and the load generator inherit this core; the measured servers use the other one.
    os.sched_setaffinity(0, {OTHER_CORE})
    directory = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    try:
        if arguments.overload:
            run_overload(directory, arguments.python, quick=arguments.quick)
        else:
            run(directory, arguments.python, quick=arguments.quick)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run(directory: Path, interpreter: str, *, quick: bool) -> None:
    """Measure everything, and write the page."""
    # Before the benchmark itself causes load.
    load_average = os.getloadavg()[0]
    results = Results()
    installed = {}
    for name, app in APPS.items():
        if quick and name in SIMILAR_PROJECTS:
            results.failures[name] = "excluded by --quick"
            continue
        log_progress(f"installing {name}")
        try:
            installed[name] = installation.install(app, directory, interpreter)
        except installation.AppUnavailable as error:
            if name == SERVICE:
                raise
            results.failures[name] = str(error)
            log_progress(f"  cannot be installed: {error}")
    with database.server() as url:
        log_progress("inserting rows")
        installation.migrate(installed[SERVICE], url.render_as_string(hide_password=False))
        database.insert_rows(url)
        log_progress("counting round trips")
        count_round_trips(installed, url, directory, results, requests=3 if quick else 10)
        for name, reason in results.failures.items():
            log_progress(f"  {name} cannot be measured: {reason}")
        for (target, task), cell in results.cells.items():
            log_progress(f"  {target:24} {task:3} {cell.error or cell.round_trips}")
        rounds, seconds = (1, 0.5) if quick else (5, 2.0)
        measure(
            installed,
            url,
            directory,
            results,
            rounds=rounds,
            seconds=seconds,
            log_progress=log_progress,
        )
        overheads = overhead.measure(
            installed["fastapi_asyncpg"],
            installed[SERVICE],
            url,
            directory,
            rounds=rounds,
            seconds=seconds,
            log_progress=log_progress,
        )
        overloads = measure_overload(installed[SERVICE], url, directory, quick=quick)
        measurement_conditions = conditions(
            installed[SERVICE], url, rounds=rounds, seconds=seconds, load=load_average
        )
    log_progress("restarting PostgreSQL")
    restarts = restart.measure(installed, installed[SERVICE], directory)
    for name, result in restarts.items():
        log_progress(f"  {name}: {result}")
    report.write(results, overheads, overloads, restarts, measurement_conditions)
    log_progress(f"written: {report.PAGE}")


def run_overload(directory: Path, interpreter: str, *, quick: bool) -> None:
    """Measure only overload, for work on the concurrency limiter."""
    log_progress(f"installing {SERVICE}")
    service = installation.install(APPS[SERVICE], directory, interpreter)
    with database.server() as url:
        installation.migrate(service, url.render_as_string(hide_password=False))
        database.insert_rows(url)
        measure_overload(service, url, directory, quick=quick)


def measure_overload(
    service: installation.InstalledApp, url: URL, directory: Path, *, quick: bool
) -> list[overload.Overload]:
    """Measure overload, and log the results."""
    rounds, seconds = (1, 0.5) if quick else (3, 3.0)
    overloads = overload.measure(
        service, url, directory, rounds=rounds, seconds=seconds, log_progress=log_progress
    )
    for load in overloads:
        log_progress(f"  {load}")
    return overloads


def conditions(
    service: installation.InstalledApp, url: URL, *, rounds: int, seconds: float, load: float
) -> list[str]:
    """Return the versions, the hardware and the parameters of the measurement."""
    installed = installation.versions(service)
    names = ("fastapi", "pydantic", "sqlalchemy", "asyncpg", "uvicorn", "uvloop", "httptools")
    return [
        installation.interpreter(service),
        ", ".join(f"{name} {installed[name]}" for name in names),
        f"PostgreSQL {database.version(url)}, data in memory, without fsync",
        f"{cpu_model()}; core {SERVER_CORE} for the server, core {OTHER_CORE} for the load",
        f"{CONNECTIONS} connections; median of {rounds} rounds of {seconds:g} s",
        f"{datetime.now(UTC):%Y-%m-%d}; {_load_average(load)}",
    ]


def _load_average(load: float) -> str:
    text = f"load average before the start: {load:.1f}"
    return f"{text}; other programs were running, so repeat the measurement" if load > 1 else text


def cpu_model() -> str:
    """Return the model of the processor and its number of cores."""
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return f"{found[1] if found else 'unknown processor'}, {os.cpu_count()} cores"


def log_progress(message: str) -> None:
    """Print a progress message to stderr, with the elapsed time."""
    sys.stderr.write(f"{time.monotonic() - STARTED:6.1f} s  {message}\n")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
