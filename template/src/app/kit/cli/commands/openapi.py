"""`openapi`: the OpenAPI schema as a file in docs/."""

from pathlib import Path
from typing import Annotated

import typer

from app.kit.cli.service import get_service, write_or_check
from app.kit.http.openapi.document import OPENAPI_FILE, render_openapi

commands = typer.Typer()


@commands.command()
def openapi(
    context: typer.Context,
    path: Annotated[
        Path, typer.Argument(help="The file to write; - prints the schema")
    ] = OPENAPI_FILE,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if the file is outdated")
    ] = False,
) -> None:
    """Write the OpenAPI schema, for client generators. Needs no database."""
    service = get_service(context)
    text = render_openapi(service.application())
    if path == Path("-"):
        typer.echo(text, nl=False)
    else:
        write_or_check(path, text, f"{service.name} openapi {path}", check=check)
