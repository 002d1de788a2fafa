"""`doctor`: checks of everything that the service needs."""

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import typer

from app.kit.cli.checks.database import run_checks
from app.kit.cli.checks.findings import CheckStatus, Finding, failure, ok, warning
from app.kit.cli.development_database import configured_database_url, local_settings
from app.kit.cli.service import Service, get_service, has_local_database
from app.kit.migrations.runner import alembic_config
from app.kit.settings import KitSettings, SettingsError

commands = typer.Typer()

_COLOURS = {CheckStatus.OK: "green", CheckStatus.WARNING: "yellow", CheckStatus.FAILURE: "red"}


@commands.command()
def doctor(context: typer.Context) -> None:
    """Check configuration, database, schema, connections and clocks; report what to do.

    Changes nothing and prints no secret.
    Exit code 1 for a failure, 0 for warnings.
    """
    service = get_service(context)
    states: list[CheckStatus] = []

    def report(finding: Finding) -> None:
        states.append(finding.state)
        state = typer.style(f"{finding.state:<9}", fg=_COLOURS[finding.state])
        typer.echo(f"{state}{finding.about}: {finding.found}")
        if finding.advice:
            typer.echo(f"{'':9}-> {finding.advice}")

    try:
        with _settings(service) as settings:
            for finding in _configuration(settings):
                report(finding)
            asyncio.run(_examine(settings, service, report))
    except SettingsError as error:
        _, *wrong, advice = str(error).splitlines()
        for line in wrong:
            report(failure("configuration", line.strip(), advice))
    if CheckStatus.FAILURE in states:
        raise typer.Exit(1)


async def _examine(
    settings: KitSettings, service: Service, report: Callable[[Finding], None]
) -> None:
    config = alembic_config(settings)
    async for finding in run_checks(settings.database, config, service.name):
        report(finding)


@contextmanager
def _settings(service: Service) -> Generator[KitSettings]:
    """Yield the settings of the environment, or of an existing local database."""
    if configured_database_url(env_file=True) or not has_local_database():
        yield service.settings.load()
        return
    with local_settings(service.settings) as settings:
        yield settings


def _configuration(settings: KitSettings) -> Iterator[Finding]:
    given = configured_database_url(env_file=True)
    yield ok("configuration", "valid" if given else "valid; the local database of `dev`")
    if settings.database.echo and not settings.database.hide_parameters:
        found = "DATABASE_ECHO without DATABASE_HIDE_PARAMETERS logs the values of rows"
        yield warning("configuration", found, "set DATABASE_HIDE_PARAMETERS=true in production")
