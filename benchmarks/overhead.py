"""What the kit costs an endpoint that does nothing, next to FastAPI alone with the same route.

FastAPI is served by uvicorn with its own access log, or without; the service writes its log in
JSON, or none. The service has the routes of the example, which come before the measured one.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from statistics import median

from sqlalchemy import URL

from benchmarks.generator import drive, request
from benchmarks.programs import Ready
from benchmarks.servers import running
from benchmarks.workload import CONNECTIONS

LOGS = {"no access log": False, "an access log": True}


@dataclass(frozen=True)
class Overhead:
    """Seconds of CPU per request, medians of the rounds."""

    logs: str
    fastapi: float
    service: float
    ratio: float


def measure(
    fastapi: Ready,
    service: Ready,
    url: URL,
    logs: Path,
    *,
    rounds: int,
    seconds: float,
    tell: Callable[[str], None],
) -> list[Overhead]:
    """Load the four servers in interleaved rounds."""
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
            tell(f"overhead, round {number + 1} of {rounds}")
            for case, server in servers.items():
                requests = repeat(request("GET", "/measured/nothing"))
                drive(server.port, requests, connections=CONNECTIONS, seconds=seconds / 4)
                before = server.cpu()
                found = drive(server.port, requests, connections=CONNECTIONS, seconds=seconds)
                used.setdefault(case, []).append((server.cpu() - before) / found.answers)
    return [_found(logging, used["fastapi", logging], used["service", logging]) for logging in LOGS]


def _found(logging: str, fastapi: list[float], service: list[float]) -> Overhead:
    ratios = [mine / bare for mine, bare in zip(service, fastapi, strict=True)]
    return Overhead(logging, median(fastapi), median(service), median(ratios))
