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

LOGS = {"no access log": False, "an access log": True}


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
    logs: Path,
    *,
    rounds: int,
    seconds: float,
    log_progress: Callable[[str], None],
) -> list[Overhead]:
    """Measure the four servers in interleaved rounds."""
    used: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as stack:
        servers = {
            (name, logging): stack.enter_context(
                running(program, url, logs / f"{name}-{log}.log", access_log=log)
            )
            for name, program in {"fastapi": fastapi, "service": service}.items()
            for logging, log in LOGS.items()
        }
        for number in range(rounds):
            log_progress(f"overhead, round {number + 1} of {rounds}")
            for case, server in servers.items():
                requests = repeat(request("GET", "/measured/nothing"))
                run_load(server.port, requests, connections=CONNECTIONS, seconds=seconds / 4)
                before = server.cpu()
                found = run_load(server.port, requests, connections=CONNECTIONS, seconds=seconds)
                used.setdefault(case, []).append((server.cpu() - before) / found.responses)
    return [_found(logging, used["fastapi", logging], used["service", logging]) for logging in LOGS]


def _found(logging: str, fastapi: list[float], service: list[float]) -> Overhead:
    ratios = [mine / bare for mine, bare in zip(service, fastapi, strict=True)]
    return Overhead(logging, median(fastapi), median(service), median(ratios))
