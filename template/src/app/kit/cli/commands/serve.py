"""`dev` and `serve`: run the service."""

import errno
import os
import signal
import socket
import sys
from contextlib import suppress
from threading import Thread
from time import sleep
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from app.kit.cli.errors import CommandFailed
from app.kit.cli.service import get_service
from app.kit.http.uvicorn_protocol import HttpProtocol, WebSocketProtocol
from app.kit.migrations.runner import PROJECT_ROOT, create_schema, logged_migrations
from app.kit.migrations.runner import migrate as migrate_database
from app.kit.settings import MetricsSettings

commands = typer.Typer()


@commands.command()
def dev(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on", envvar="PORT", min=1, max=65535)
    ] = 8000,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Apply the pending migrations first")
    ] = False,
) -> None:
    """Serve with reload, on a local database if DATABASE_URL is not set.

    A database that has never been migrated gets all migrations, also that of
    DATABASE_URL. For any other, the log and /health/ready report pending
    migrations; `migrate` or `dev --migrate` applies them.
    """
    service = get_service(context)
    _raise_if_port_is_in_use(host, port)
    settings = service.settings.load()
    create_schema(settings)
    if migrate:
        with logged_migrations():
            migrate_database(settings)
    if "format" not in settings.log.model_fields_set:
        os.environ["LOG_FORMAT"] = "console"
    Thread(target=_print_addresses, args=(host, port), daemon=True).start()
    uvicorn.run(
        service.development,
        host=host,
        port=port,
        reload=True,
        reload_dirs=[str(PROJECT_ROOT / name) for name in ("src", "migrations")],
        # It ends open streams of server-sent events, which would delay a reload.
        http=HttpProtocol,
        log_config=None,
    )


def _print_addresses(host: str, port: int) -> None:
    """Wait until the service accepts connections, then print where."""
    while True:
        with suppress(OSError), socket.create_connection((host, port), timeout=1):
            break
        sleep(0.1)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    typer.echo(f"\n  Service   {url}\n  API docs  {url}/docs\n")


@commands.command()
def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 in a container", envvar="HOST")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on", envvar="PORT", min=1, max=65535)
    ] = 8000,
    grace: Annotated[
        int,
        typer.Option(help="Seconds for running requests to finish after SIGTERM", min=1, max=3600),
    ] = 20,
) -> None:
    """Serve in production, in one process. SIGTERM lets running requests finish, then stops it."""
    # Without arguments: from the environment, like `uvicorn --factory`.
    app = get_service(context).create_app()
    _raise_if_port_is_in_use(host, port)
    metrics: MetricsSettings = app.state.settings.metrics
    if metrics.port:
        _raise_if_port_is_in_use(str(metrics.host), metrics.port, "METRICS_PORT")
    # uvicorn would re-raise SIGTERM at the end. Exit with code 0 instead.
    signal.signal(signal.SIGTERM, _exit)
    uvicorn.run(
        app,
        host=host,
        port=port,
        http=HttpProtocol,
        ws=WebSocketProtocol,
        timeout_graceful_shutdown=grace,
        log_config=None,
        server_header=False,
    )


def _raise_if_port_is_in_use(host: str, port: int, option: str = "--port") -> None:
    """Raise CommandFailed if the port is in use. uvicorn would exit with code 1 or 3."""
    try:
        for family, *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            socket.create_server(address, family=family).close()
    except OSError as error:
        # uvicorn reports other errors, and may succeed: it does not need every address of the host.
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise CommandFailed(
                f"Cannot listen on port {port} of {host}: {os.strerror(error.errno)}. "
                f"Choose another with {option}."
            ) from error


def _exit(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)
