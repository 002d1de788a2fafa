"""`openapi`: the OpenAPI schema as a file in docs/."""

from pathlib import Path
from typing import Annotated

import typer

from app.kit.cli.service import get_service, write_or_check
from app.kit.http.openapi.document import OPENAPI_FILE, render_openapi
from app.kit.migrations.runner import PROJECT_ROOT

commands = typer.Typer()


@commands.command()
def openapi(
    context: typer.Context,
    path: Annotated[
        Path | None, typer.Argument(help="Output file; - prints it", show_default=str(OPENAPI_FILE))
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if the file is outdated")
    ] = False,
) -> None:
    """Write the OpenAPI schema, for client generators. Needs no database."""
    service = get_service(context)
    text = render_openapi(service.application())
    if path == Path("-"):
        typer.echo(text, nl=False)
        return
    command = f"{service.name} openapi {path or ''}".rstrip()
    write_or_check(path or PROJECT_ROOT / OPENAPI_FILE, text, command, check=check)
