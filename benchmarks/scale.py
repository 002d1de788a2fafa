"""Compare response times on a small database and on one with a hundred times the rows.

    uv run python -m benchmarks.scale --python /usr/bin/python3

It renders the service, starts PostgreSQL, loads two databases with the COPY of the service, and
sends the same requests to a server on each. The results go into docs/scale.md. Each row needs
about 0.6 kB, in memory if there is enough.
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

from benchmarks import database, installation, scale_report
from benchmarks.__main__ import cpu_model, log_progress
from benchmarks.scale_environment import Dataset, Environment, resident_memory, run_module
from benchmarks.scale_requests import INDEXES, REQUESTS, SEARCHES, ScaleRequest
from benchmarks.servers import OTHER_CORE, running
from benchmarks.targets import APPS, SERVICE
from local_postgres import ephemeral

ROUNDS = 15
SECONDS_EACH = 3.0
SIZE_RATIO = 100
SEARCH = "search users"


def main() -> None:
    """Measure, and write the results into docs/scale.md."""
    parser = argparse.ArgumentParser(description="A hundred times the rows")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--posts", type=int, default=10_000_000)
    parser.add_argument("--exported", type=int, default=10_000_000, help="stop the export here")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the service")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    load_average = os.getloadavg()[0]
    os.sched_setaffinity(0, {OTHER_CORE})
    directory = Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        log_progress("installing the service")
        service = installation.install(APPS[SERVICE], directory, arguments.python)
        with ephemeral() as url, ExitStack() as stack:
            datasets = [
                Dataset("small", arguments.users // SIZE_RATIO, arguments.posts // SIZE_RATIO, url),
                Dataset("large", arguments.users, arguments.posts, url),
            ]
            loading_rates = [load_dataset(dataset, service) for dataset in datasets]
            environments = [
                stack.enter_context(start_service(dataset, service, directory))
                for dataset in datasets
            ]
            measure(environments, REQUESTS)
            explain(environments, service)
            indexed = create_indexes(environments)
            if indexed:
                measure(environments, SEARCHES)
                explain(environments, service, SEARCH)
            for environment in environments:
                export(environment, arguments.exported)
            conditions = [
                installation.interpreter(service),
                f"PostgreSQL {database.version(url)}, data in memory, without fsync",
                f"{cpu_model()}; load average before the start: {load_average:.1f}",
                *loading_rates,
            ]
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    scale_report.write(environments, conditions, indexed)
    log_progress(f"written: {scale_report.PAGE}")


def load_dataset(dataset: Dataset, service: installation.InstalledApp) -> str:
    """Create and load a database; return the rates as text."""
    database.run(dataset.url, f"CREATE DATABASE {dataset.name}")
    dataset.url = dataset.url.set(database=dataset.name)
    installation.migrate(service, dataset.url.render_as_string(hide_password=False))
    last: dict[str, str] = {}
    command = ["benchmarks.load_data", str(dataset.users), str(dataset.posts)]
    for line in run_module(service, dataset.url, *command):
        table, done, count, rate = line.split()
        last[table] = f"{int(count):,} {table} at {int(rate):,} per second"
        log_progress(
            f"{dataset.name}: {table} {int(done) * 100 // int(count):3} %  {int(rate):7,}/s"
        )
    database.run(dataset.url, "VACUUM (ANALYZE)")
    return f"{dataset.name}: loaded with COPY, {', '.join(last.values())}"


@contextmanager
def start_service(
    dataset: Dataset, service: installation.InstalledApp, directory: Path
) -> Iterator[Environment]:
    """Start the service on a loaded database; its log is in `directory`."""
    with running(service, dataset.url, directory / f"{dataset.name}.log") as server:
        yield Environment(dataset.name, dataset.users, dataset.posts, dataset.url, server)


def measure(environments: list[Environment], requests: list[ScaleRequest]) -> None:
    """Send each request alternately to both servers, at most SECONDS_EACH long."""
    for request in requests:
        for environment in environments:
            # The server closes idle connections; `http.client` reconnects automatically.
            environment.connection.close()
        paths = [request.path(environment.content) for environment in environments]
        timings: list[list[float]] = [[] for _ in environments]
        started = time.monotonic()
        while len(timings[0]) < ROUNDS:
            for environment, path, seconds in zip(environments, paths, timings, strict=True):
                took, status, content = environment.get(path)
                if status != 200:
                    log_progress(f"{request.name}, {environment.name}: {status} {content[:100]!r}")
                seconds.append(took if status == 200 else float("inf"))
            if time.monotonic() - started > SECONDS_EACH:
                break
        for environment, seconds in zip(environments, timings, strict=True):
            # The first request has cold caches.
            environment.seconds[request.name] = median(seconds[1:] or seconds)
        medians = "  ".join(
            f"{environment.seconds[request.name] * 1e3:10.1f} ms" for environment in environments
        )
        log_progress(f"{request.name:45} {medians}")


def explain(
    environments: list[Environment], service: installation.InstalledApp, *names: str
) -> None:
    """Store the plans on the large database: of the named queries, or of all."""
    small, large = environments
    ending = ", with the index" if names else ""
    explained = database.driver_url(large.url)
    printed = "".join(run_module(service, small.url, "benchmarks.query_plans", explained, *names))
    large.plans |= {f"{name}{ending}": plans for name, plans in json.loads(printed).items()}


def create_indexes(environments: list[Environment]) -> bool:
    """Create the trigram indexes of docs/database.md; return False without pg_trgm."""
    for environment in environments:
        started = time.monotonic()
        try:
            database.run(environment.url, "CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except Exception as error:
            log_progress(f"pg_trgm is not available: {error}")
            return False
        for statement in INDEXES:
            database.run(environment.url, statement)
        database.run(environment.url, "VACUUM (ANALYZE) users")
        log_progress(
            f"{environment.name}: trigram indexes created in {time.monotonic() - started:.1f} s"
        )
    return True


def export(environment: Environment, rows: int) -> None:
    """Stream the export, and record the server's memory at each power of ten rows."""
    rows = min(rows, environment.posts)
    environment.connection.close()
    environment.memory.append((0, resident_memory(environment)))
    response, sent, started = environment.open("/measured/export"), 0, time.monotonic()
    milestones = sorted({rows, *(10**power for power in range(3, 8) if 10**power < rows)})
    while sent < rows and (part := response.read1(1 << 18)):
        sent += part.count(b"\n")
        while milestones and sent >= milestones[0]:
            environment.memory.append((milestones.pop(0), resident_memory(environment)))
            log_progress(
                f"{environment.name}: export of {sent:10,} rows, "
                f"{environment.memory[-1][1]:6.1f} MB resident"
            )
    if sent < rows:
        raise RuntimeError(
            f"the export of {environment.name} finished after {sent:,} of {rows:,} rows"
        )
    environment.rows_per_second = sent / (time.monotonic() - started)
    response.close()


if __name__ == "__main__":
    main()
