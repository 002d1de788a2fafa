"""`dev` and `serve`: the service as a process."""

import errno
import os
import signal
import socket
import sys
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from app.kit.commands.errors import Refused
from app.kit.commands.service import service_of
from app.kit.development import local_settings
from app.kit.http.protocol import HttpProtocol

commands = typer.Typer()


@commands.command()
def dev(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on", envvar="PORT", min=1, max=65535)
    ] = 8000,
) -> None:
    """Serve with reload, on a local database where no DATABASE_URL is set."""
    service = service_of(context)
    _refuse_a_port_in_use(host, port)
    with local_settings(service.settings) as settings:
        url = f"http://{host}:{port}"
        typer.echo(f"\n  Service   {url}\n  API docs  {url}/docs\n")
        # The reloader starts new processes: they find the database in the environment.
        os.environ["DATABASE_URL"] = settings.database.url.get_secret_value()
        # Said in any case, or one in `.env` would be migrated in place of a local database.
        owner = settings.database.migration_url
        os.environ["DATABASE_MIGRATION_URL"] = (
            owner.get_secret_value()
            if owner
            else settings.database.sqlalchemy_url.render_as_string(hide_password=False)
        )
        if "format" not in settings.log.model_fields_set:
            os.environ["LOG_FORMAT"] = "console"
        uvicorn.run(
            service.development,
            host=host,
            port=port,
            reload=True,
            reload_dirs=["src"],
            log_config=None,
        )


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
        int, typer.Option(help="Seconds that running requests have to end", min=1, max=3600)
    ] = 20,
) -> None:
    """Serve in production: one process, which SIGTERM ends once its requests are answered."""
    # From the environment, as an application does that has the process for itself.
    app = service_of(context).create_app()
    _refuse_a_port_in_use(host, port)
    # uvicorn ends with the signal that it was sent: make that an end like any other.
    signal.signal(signal.SIGTERM, _end)
    uvicorn.run(
        app,
        host=host,
        port=port,
        http=HttpProtocol,
        timeout_graceful_shutdown=grace,
        log_config=None,
        server_header=False,
    )


def _refuse_a_port_in_use(host: str, port: int) -> None:
    """Raise Refused where uvicorn would end with a code of its own."""
    try:
        for family, _, _, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            socket.create_server(place, family=family).close()
    except OSError as error:
        # Any other trouble is left to uvicorn, which need not listen on each address of a host.
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise Refused(
                f"Nobody can listen on port {port} of {host}: {os.strerror(error.errno)}. "
                "Choose another with --port."
            ) from error


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)
