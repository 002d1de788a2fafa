"""The development issuer, for `dev` and `token` without AUTH_ISSUER.

Its code is in the folder `devtools`, which the wheel and the image do not contain. Functions in
this module therefore import it when they need it.
"""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated
from urllib.parse import urlencode
from urllib.request import urlopen

import typer

from app.kit.cli.development_database import is_development, read_environment
from app.kit.cli.errors import CommandFailed
from app.kit.migrations.runner import PROJECT_ROOT

commands = typer.Typer()

# The client of the API documentation page.
CLIENT_ID = "docs"
# The URL of an issuer that no command contacts, for commands that only need valid settings.
_UNUSED = "http://127.0.0.1:1"
# `.gitignore` excludes this folder.
_STATE = PROJECT_ROOT / ".oidc_cache" / "issuer.json"


def is_issuer_given() -> bool:
    """Return whether AUTH_ISSUER is set, in the environment or in `.env`."""
    return read_environment().auth_issuer is not None


@contextmanager
def _environment_for(issuer: str, audience: str) -> Generator[None]:
    """Set the variables of a service that accepts tokens of this issuer."""
    given = {"AUTH_ISSUER": issuer, "AUTH_AUDIENCE": audience, "AUTH_CLIENT_ID": CLIENT_ID}
    before = os.environ.copy()
    os.environ.update(given)
    try:
        yield
    finally:
        for name in given:
            del os.environ[name]
        os.environ.update({name: before[name] for name in given.keys() & before.keys()})


@contextmanager
def development_issuer(name: str, *, start: bool = True) -> Generator[str | None]:
    """Set AUTH_ISSUER in the block if it is not set, and yield the URL of a development issuer.

    Child processes inherit the variables. Without `start`, no issuer runs, and the variables only
    make the settings valid. Outside development, do nothing.
    """
    if is_issuer_given() or not is_development():
        yield None
        return
    if not start:
        with _environment_for(_UNUSED, name):
            yield None
        return
    from oidc_issuer import running

    with running(name) as issuer, _environment_for(issuer.url, name):
        _STATE.parent.mkdir(exist_ok=True)
        _STATE.write_text(json.dumps({"issuer": issuer.url}), encoding="utf-8")
        typer.echo(
            f"\n  Sign-in   {issuer.url}, without a password"
            f'\n  Token     uv run {name} token --sub alice --scope "notes:write"'
        )
        try:
            yield issuer.url
        finally:
            _STATE.unlink(missing_ok=True)


def fetch_token(name: str, subject: str, scope: str) -> str:
    """Return a token of the running development issuer. Raises CommandFailed if none runs."""
    if is_issuer_given():
        raise CommandFailed("AUTH_ISSUER is set: get a token from that identity provider.")
    if not is_development():
        raise CommandFailed(
            "Only development has an issuer: get a token from your identity provider."
        )
    form = {"grant_type": "client_credentials", "client_id": subject, "scope": scope}
    try:
        issuer = json.loads(_STATE.read_text(encoding="utf-8"))["issuer"]
        url, body = f"{issuer}/token", urlencode(form).encode()
        with urlopen(url, body, timeout=5) as response:  # noqa: S310 - a URL that `dev` wrote
            token: str = json.load(response)["access_token"]
    except (OSError, ValueError, KeyError) as error:
        raise CommandFailed(
            f"No development issuer is running. Start one with `uv run {name} dev`."
        ) from error
    return token


@commands.command()
def token(
    context: typer.Context,
    sub: Annotated[str, typer.Option(help="The subject, which identifies the caller")] = "alice",
    scope: Annotated[str, typer.Option(help="Scopes, separated by spaces")] = "",
) -> None:
    """Print an access token of the issuer that `dev` started."""
    # Not `get_service`, whose module imports this one.
    typer.echo(fetch_token(context.obj.name, sub, scope))
