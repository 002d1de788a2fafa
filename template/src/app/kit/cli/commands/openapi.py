"""`openapi`: the OpenAPI schema as a file in docs/."""

from pathlib import Path
from typing import Annotated

import typer

from app.kit.cli.errors import CommandFailed
from app.kit.cli.service import get_service
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
    elif not check:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandFailed(f"Cannot write {path}: {error.strerror}.") from error
        typer.echo(f"Wrote {path}.")
    elif path.is_file() and path.read_text(encoding="utf-8") == text:
        typer.echo(f"{path} is current.")
    else:
        problem = "is outdated" if path.is_file() else "does not exist"
        typer.echo(f"{path} {problem}. Run `{service.name} openapi {path}`.", err=True)
        raise typer.Exit(1)
