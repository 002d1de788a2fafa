"""How long 256 clients wait who share 16 connections, with the gate of the kit and without.

    uv run python -m benchmarks.overload

It renders the service, starts PostgreSQL and two servers of one worker each, and loads them in
turn: 16 clients, which is all that can be at work, and 256. They read one row by key, or in turn
read a row, read a list of 20 with relations and create a row.

Shown are medians of interleaved rounds, because other programs may load the machine meanwhile, and
ratios to 16 clients of the same server, because absolute figures do not hold elsewhere. Nobody can
make 256 clients wait for less than 256 / (answers per second): the last column is the p99 in this
unit, and about 1 where nobody is overtaken.
"""

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count, product, repeat
from pathlib import Path
from statistics import median
from uuid import uuid4

import httpx2

from benchmarks.generator import Load, drive, request
from benchmarks.servers import OTHER_CORE, SERVER_CORE
from tests.processes import Server, free_port, serving, succeed
from tests.rendering import copy_of_working_tree, render_from
from tests.services import RUNNING_VERSION, address, interpreter_for, postgres

# What was done, by which server, for how many clients.
Of = tuple[str, str, int]

POOL = 16
CLIENTS = (POOL, 256)
# Without: a number of places that is never reached.
SERVERS = {"gate": POOL, "no gate": 10_000}
TELL_VERSIONS = """
import importlib.metadata, platform, sysconfig
packages = ["fastapi", "starlette", "uvicorn", "uvloop", "httptools", "sqlalchemy", "asyncpg"]
print(*(f"{name} {importlib.metadata.version(name)}" for name in packages), sep=", ")
optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
print(f"Python {platform.python_version()}, {'' if optimised else 'not '}built with optimisations")
"""


@dataclass(frozen=True)
class Target:
    """A server under load, and a row in its database."""

    server: Server
    port: int
    tag: str

    def reads(self) -> Iterator[bytes]:
        """One row by key."""
        return repeat(request("GET", f"/tags/{self.tag}"))

    def mixed(self) -> Iterator[bytes]:
        """A row, a list, and a new row, in turn."""
        run = uuid4().hex
        for number in count():
            yield request("GET", f"/tags/{self.tag}")
            yield request("GET", "/posts?limit=20")
            yield request("POST", "/tags", {"name": f"{run}-{number}"})


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(description="The gate under overload")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=3, help="of each load")
    options.add_argument("--python", type=Path, help="an interpreter with what a service needs")
    given = options.parse_args()
    os.sched_setaffinity(0, {OTHER_CORE})
    loads: dict[Of, list[Load]] = {}
    with tempfile.TemporaryDirectory() as place, ExitStack() as until_the_end:
        targets = until_the_end.enter_context(_servers(Path(place), given.python))
        for seconds in [1, *[given.seconds] * given.rounds]:
            for work, clients, name in product(("reads", "mixed"), CLIENTS, targets):
                target = targets[name]
                load = drive(
                    target.port, getattr(target, work)(), connections=clients, seconds=seconds
                )
                loads.setdefault((work, name, clients), []).append(load)
    # The first round warms up.
    _show({of: rounds[1:] for of, rounds in loads.items()})
    print(f"medians of {given.rounds} interleaved rounds of {given.seconds:g} s each")


@contextmanager
def _servers(place: Path, given: Path | None) -> Iterator[dict[str, Target]]:
    """The servers, on one database."""
    service = place / "service"
    render_from(copy_of_working_tree(place / "template"), service, pool_size=POOL, max_overflow=0)
    python = given or interpreter_for(service, place / "venv", RUNNING_VERSION).python
    print(succeed(python, "-c", TELL_VERSIONS, cwd=service).stdout)
    with ExitStack() as until_the_end:
        database = address(until_the_end.enter_context(postgres()))
        succeed(
            *(python, "-m", "alembic", "upgrade", "heads"),
            cwd=service,
            DATABASE_URL=database,
            PYTHONPATH="src",
        )
        servers: dict[str, tuple[Server, int]] = {}
        # A core for the servers; the other for PostgreSQL, which runs there already, and the load.
        os.sched_setaffinity(0, {SERVER_CORE})
        for name, places in SERVERS.items():
            port = free_port()
            server = until_the_end.enter_context(
                serving(
                    *(python, "-m", "uvicorn", "--factory", "app.main:create_app"),
                    *("--app-dir", "src", "--port", str(port)),
                    cwd=service,
                    port=port,
                    log=place / f"{port}.log",
                    DATABASE_URL=database,
                    HTTP_CONCURRENCY=str(places),
                    LOG_LEVEL="WARNING",
                )
            )
            server.until_ready(30)
            servers[name] = server, port
        os.sched_setaffinity(0, {OTHER_CORE})
        tag = _fill(server.url)
        yield {name: Target(server, port, tag) for name, (server, port) in servers.items()}


def _fill(url: str) -> str:
    """Store what is read; the key of a tag."""
    with httpx2.Client(base_url=url, timeout=10) as client:

        def create(path: str, **body: object) -> str:
            return str(client.post(path, json=body).raise_for_status().json()["id"])

        author = create("/users", email="ada@example.org", name="Ada", password="correct horse")
        tags = ["first", "second"]
        keys = [create("/tags", name=name) for name in tags]
        for number in range(30):
            create("/posts", author_id=author, title=f"Post {number}", tags=tags)
        return keys[0]


def _show(loads: dict[Of, list[Load]]) -> None:
    print("work   server   clients   per s  ratio   p50 s   p99 s  p99 fair  errors")
    for (work, name, clients), rounds in loads.items():
        # Round by round: the rest of the machine is about as busy for both.
        alone = loads[work, name, POOL]
        pairs = zip(rounds, alone, strict=True)
        ratio = median(load.rate / base.rate for load, base in pairs)
        rate = median(load.rate for load in rounds)
        p50, p99 = (median(load.percentile(each) for load in rounds) for each in (50, 99))
        fair = median(load.percentile(99) * load.rate / clients for load in rounds)
        answered = sum((load.statuses for load in rounds), Counter[int]())
        errors = {status: many for status, many in answered.items() if status // 100 != 2}
        print(
            f"{work:6} {name:8} {clients:7} {rate:7.0f} {ratio:6.2f} {p50:7.3f} {p99:7.3f} "
            f"{fair:9.2f}  {errors or 'none'}"
        )


if __name__ == "__main__":
    main()
