"""Measure the effect of each pattern: the same task with and without it, alternately.

    uv run python -m benchmarks.ablation --python /usr/bin/python3

It renders the default service, and starts PostgreSQL with 100,000 posts and a server per variant.
The results go into docs/ablation.md.
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

from benchmarks import ablation_report, database, installation
from benchmarks.__main__ import conditions, log_progress
from benchmarks.ablation_patterns import PATTERNS, Pattern, Variant
from benchmarks.counting_proxy import counting_proxy
from benchmarks.database import delete_created_rows
from benchmarks.installation import InstalledApp
from benchmarks.measure import Cell, load, round_trips, with_cursor
from benchmarks.servers import OTHER_CORE, Server, running
from benchmarks.targets import APPS, SERVICE
from benchmarks.tasks import TASKS

COUNTED_REQUESTS = 5


@dataclass(frozen=True)
class Environment:
    """The service and the database."""

    service: InstalledApp
    url: URL
    logs: Path

    @contextmanager
    def serving(self, variant: Variant, url: URL) -> Iterator[tuple[Server, str]]:
        """Start the server of a variant; yield it with the path of the request."""
        app = replace(self.service.app, uvicorn_arguments=variant.uvicorn_arguments)
        installed = replace(self.service, app=app)
        with running(installed, url, self.logs / "ablation.log", **variant.variables) as server:
            yield server, with_cursor(variant.path, server)


def main() -> None:
    """Measure, and write the results into docs/ablation.md."""
    parser = argparse.ArgumentParser(description="The effect of each pattern")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5, help="per variant and round")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the service")
    arguments = parser.parse_args()
    # As Ctrl-C does: run every `finally` block.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    load_average = os.getloadavg()[0]
    os.sched_setaffinity(0, {OTHER_CORE})
    directory = Path(tempfile.mkdtemp(prefix="ablation-"))
    try:
        log_progress("installing the service")
        service = installation.install(APPS[SERVICE], directory, arguments.python)
        with database.server() as url:
            installation.migrate(service, url.render_as_string(hide_password=False))
            database.insert_rows(url)
            environment = Environment(service, url, directory)
            measured = [
                measure(environment, pattern, arguments.rounds, arguments.seconds)
                for pattern in PATTERNS
            ]
            measurement_conditions = conditions(
                service, url, rounds=arguments.rounds, seconds=arguments.seconds, load=load_average
            )
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    ablation_report.write(list(zip(PATTERNS, measured, strict=True)), measurement_conditions)
    log_progress(f"written: {ablation_report.PAGE}")


def measure(
    environment: Environment, pattern: Pattern, rounds: int, seconds: float
) -> tuple[Cell, Cell]:
    """Measure a task with and without a pattern.

    Raises:
        InvalidResponse: A response is not as expected.
    """
    task, cells = TASKS[pattern.task], (Cell(), Cell())
    variants = (pattern.on, pattern.off)
    for cell, variant in zip(cells, variants, strict=True):
        with (
            counting_proxy(environment.url) as (proxied, counter),
            environment.serving(variant, proxied) as (server, path),
        ):
            cell.round_trips = round_trips(server, task, path, counter, COUNTED_REQUESTS)
        delete_created_rows(environment.url)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(environment.serving(variant, environment.url))
            for variant in variants
        ]
        for _ in range(rounds):
            for cell, (server, path) in zip(cells, servers, strict=True):
                load(cell, server, task, path, seconds)
                if task.creates:
                    delete_created_rows(environment.url)
    on, off = cells
    log_progress(
        f"{pattern.task:3} {pattern.name}: {on.cpu_per_request * 1e6:,.0f} µs, "
        f"without {off.cpu_per_request * 1e6:,.0f}"
    )
    return cells


if __name__ == "__main__":
    main()
