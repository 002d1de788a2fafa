"""CPU time of an endpoint that does nothing, in the service and in FastAPI alone.

Both are measured with and without an access log: uvicorn's for FastAPI, JSON for the service. The
service has the routes of the example, which are registered before the measured route.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from statistics import median

from sqlalchemy import URL

from benchmarks.installation import InstalledApp
from benchmarks.load_generator import request, run_load
from benchmarks.servers import running
from benchmarks.tasks import CONNECTIONS

ACCESS_LOGS = {"no access log": False, "an access log": True}


@dataclass(frozen=True)
class Overhead:
    """CPU seconds per request, medians of the rounds."""

    logs: str
    fastapi: float
    service: float
    ratio: float


def measure(
    fastapi: InstalledApp,
    service: InstalledApp,
    url: URL,
    log_directory: Path,
    *,
    rounds: int,
    seconds: float,
    log_progress: Callable[[str], None],
) -> list[Overhead]:
    """Measure the four servers in interleaved rounds."""
    used: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as stack:
        servers = {
            (name, logs): stack.enter_context(
                running(app, url, log_directory / f"{name}-{enabled}.log", access_log=enabled)
            )
            for name, app in {"fastapi": fastapi, "service": service}.items()
            for logs, enabled in ACCESS_LOGS.items()
        }
        for number in range(rounds):
            log_progress(f"overhead, round {number + 1} of {rounds}")
            for case, server in servers.items():
                requests = repeat(request("GET", "/measured/nothing"))
                run_load(server.port, requests, connections=CONNECTIONS, seconds=seconds / 4)
                before = server.cpu()
                result = run_load(server.port, requests, connections=CONNECTIONS, seconds=seconds)
                used.setdefault(case, []).append((server.cpu() - before) / result.responses)
    return [_summarize(logs, used["fastapi", logs], used["service", logs]) for logs in ACCESS_LOGS]


def _summarize(logs: str, fastapi: list[float], service: list[float]) -> Overhead:
    ratios = [ours / theirs for ours, theirs in zip(service, fastapi, strict=True)]
    return Overhead(logs, median(fastapi), median(service), median(ratios))
