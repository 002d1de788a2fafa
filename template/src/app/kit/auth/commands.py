"""`token`: print an access token of the development issuer."""

from typing import Annotated

import typer

from app.kit.auth.development import fetch_token
from app.kit.cli.service import get_service

commands = typer.Typer()


@commands.command()
def token(
    context: typer.Context,
    sub: Annotated[str, typer.Option(help="The subject: who the caller is")] = "alice",
    scope: Annotated[str, typer.Option(help="Scopes, separated by spaces")] = "",
) -> None:
    """Print an access token of the issuer that `dev` started."""
    typer.echo(fetch_token(get_service(context).name, sub, scope))
