"""compose.yaml matches its schema, and its commands work without a container engine."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from sqlalchemy import URL

from local_postgres import ephemeral
from tests.pgbouncer import PGBOUNCER, run_pgbouncer
from tests.processes import free_port, open_directory, run, serving, succeed
from tests.rendering import Renderer, RenderService
from tests.services import Interpreter, create_database

PROGRAMS = Path(sys.executable).parent
SECONDS_TO_START = 60
POOLERS = ["none", "pgbouncer"]
# Runs the console command of a service that is not installed.
COMMAND = "from app.cli import main; main()"

every_pooler = pytest.mark.parametrize("pooler", POOLERS)


def load_compose_file(service: Path) -> dict[str, Any]:
    """Parse compose.yaml with the default of each variable."""
    text = (service / "compose.yaml").read_text()
    content: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    return content


@every_pooler
def test_compose_file_matches_schema(render: Renderer, pooler: str) -> None:
    check = [PROGRAMS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]

    succeed(*check, "compose.yaml", cwd=render(pooler=pooler))


@every_pooler
def test_compose_references_exist(render: Renderer, pooler: str) -> None:
    file = load_compose_file(render(pooler=pooler))
    services = file["services"]

    for service in services.values():
        assert {*service.get("depends_on", {})} <= {*services}
        assert {each["source"] for each in service.get("configs", [])} <= {*file.get("configs", {})}
    for name, condition in services["service"]["depends_on"].items():
        one_shot = condition["condition"] == "service_completed_successfully"
        assert one_shot == ("healthcheck" not in services[name])


@every_pooler
def test_only_service_publishes_port_on_loopback(render: Renderer, pooler: str) -> None:
    services = load_compose_file(render(pooler=pooler))["services"]

    published = {name: each["ports"] for name, each in services.items() if "ports" in each}
    assert published == {"service": ["127.0.0.1:8000:8000"]}


def test_compose_has_pooler_only_with_pgbouncer(render: Renderer) -> None:
    assert set(load_compose_file(render())["services"]) == {"database", "migrate", "service"}

    pooled = load_compose_file(render(pooler="pgbouncer"))["services"]
    assert "@pooler:6432/" in pooled["service"]["environment"]["DATABASE_URL"]
    assert "@database:5432/" in pooled["migrate"]["environment"]["DATABASE_URL"]


def test_hadolint_passes_for_pooler(render: Renderer) -> None:
    build = load_compose_file(render(pooler="pgbouncer"))["services"]["pooler"]["build"]

    subprocess.run(
        [PROGRAMS / "hadolint", "-"], input=build["dockerfile_inline"], text=True, check=True
    )


@contextmanager
def database() -> Iterator[URL]:
    """Start PostgreSQL with a role and a database named `service`, as the image does."""

    async def prepare(url: URL) -> None:
        connection = await asyncpg.connect(
            host=str(url.query["host"]), user=url.username, database="postgres"
        )
        await connection.execute("CREATE ROLE service LOGIN SUPERUSER")
        await connection.close()

    with ephemeral() as url:
        asyncio.run(prepare(url))
        create_database(url, "service")
        yield url.set(username="service", database="service")


@contextmanager
def start_pgbouncer(file: dict[str, Any], server: URL, config_directory: Path) -> Iterator[int]:
    """Start PgBouncer with the configuration in compose.yaml; yield its port."""
    port = free_port()
    mounted = {each["target"]: each["source"] for each in file["services"]["pooler"]["configs"]}
    for target, source in mounted.items():
        text = file["configs"][source]["content"]
        for old, new in (
            ("host=database port=5432", "host={host} port={port}".format(**server.query)),
            ("listen_addr = *", "listen_addr = 127.0.0.1"),
            ("listen_port = 6432", f"listen_port = {port}"),
            ("/etc/pgbouncer", str(config_directory)),
        ):
            text = text.replace(old, new)
        (config_directory / Path(target).name).write_text(text)
    with run_pgbouncer(config_directory / "service.ini", Path(str(server.query["host"])), port):
        yield port


@pytest.mark.slow
def test_compose_commands_start_without_an_identity_provider(
    service: RenderService, interpreter: Interpreter, tmp_path: Path
) -> None:
    directory = service(auth="oidc")
    shutil.rmtree(directory / "devtools")  # The image does not contain it.
    migrate = load_compose_file(directory)["services"]["migrate"]
    console, port = [interpreter.python, "-c", COMMAND], free_port()

    with database() as server:
        url = server.render_as_string().replace("postgresql+asyncpg", "postgresql")
        settings = {**migrate["environment"], "DATABASE_URL": url, "PYTHONPATH": "src"}
        succeed(*console, *migrate["command"][1:], cwd=directory, **settings)
        serve = [*console, "serve", "--port", str(port)]
        with serving(*serve, cwd=directory, port=port, log=tmp_path / "log", **settings) as running:
            running.wait_until_ready(SECONDS_TO_START)
            assert running.get("/users").status_code == 401


@pytest.mark.slow
@pytest.mark.parametrize("pooler", POOLERS if PGBOUNCER else POOLERS[:1])
def test_compose_commands_migrate_and_serve(
    service: RenderService, interpreter: Interpreter, tmp_path: Path, pooler: str
) -> None:
    directory = service(pooler=pooler)
    file = load_compose_file(directory)
    migrate, serve = file["services"]["migrate"], file["services"]["service"]
    console = [interpreter.python, "-c", COMMAND]
    port = free_port()
    probe = [word.replace(":8000", f":{port}") for word in serve["healthcheck"]["test"][2:]]

    with database() as server, open_directory() as config_directory:
        direct = server.render_as_string().replace("postgresql+asyncpg", "postgresql")
        settings = {**migrate["environment"], "DATABASE_URL": direct, "PYTHONPATH": "src"}
        succeed(*console, *migrate["command"][1:], cwd=directory, **settings)

        if pooler == "none":
            assert_serves(console, probe, directory, port, tmp_path / "log", **settings)
            return
        with start_pgbouncer(file, server, config_directory) as listening:
            pooled = serve["environment"]["DATABASE_URL"].replace(
                "pooler:6432", f"127.0.0.1:{listening}"
            )
            settings = {**serve["environment"], "DATABASE_URL": pooled, "PYTHONPATH": "src"}
            assert_serves(console, probe, directory, port, tmp_path / "log", **settings)
            wrong_password = settings | {
                "DATABASE_PASSWORD": "another",
                "DATABASE_STARTUP_TIMEOUT": "0",
            }
            assert run(*console, "migrate", cwd=directory, **wrong_password).returncode == 2
            assert asyncio.run(
                session_settings(pooled, serve["environment"]["DATABASE_PASSWORD"])
            ) == [
                "off",
                "30s",
                "5s",
                "1min",
            ]


def assert_serves(
    console: list[str | Path],
    probe: list[str],
    directory: Path,
    port: int,
    log: Path,
    **settings: str,
) -> None:
    """Start the service and run the health check of compose.yaml."""
    command = [*console, "serve", "--port", str(port)]
    with serving(*command, cwd=directory, port=port, log=log, **settings) as running:
        running.wait_until_ready(SECONDS_TO_START)
        succeed(console[0], *probe, cwd=directory)
        assert running.get("/users").is_success


async def session_settings(url: str, password: str) -> list[str]:
    """Return the PostgreSQL settings of a connection through PgBouncer."""
    connection = await asyncpg.connect(url, password=password, statement_cache_size=0)
    names = ["jit", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
    found = [await connection.fetchval(f"SHOW {name}") for name in names]
    await connection.close()
    return found
