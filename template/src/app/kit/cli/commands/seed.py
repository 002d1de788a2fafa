"""`seed`: example data for development."""

import asyncio
import sys
from typing import Annotated

import typer
from sqlalchemy.exc import DBAPIError

from app.kit.cli.errors import CommandFailed
from app.kit.cli.jobs import open_database
from app.kit.cli.seeding import seed_all
from app.kit.cli.service import Service, get_service
from app.kit.errors.database_errors import problem_from_db_error
from app.kit.errors.problems import Conflict
from app.kit.settings import KitSettings

commands = typer.Typer()

# Below this number, seeding ends before a user can read a progress bar.
_MIN_ROWS_FOR_PROGRESS_BAR = 1000


@commands.command()
def seed(
    context: typer.Context,
    amount: Annotated[
        int,
        typer.Option(help="Number of rows in the main tables, such as users", min=1, max=10**8),
    ] = 100,
    random_seed: Annotated[
        int,
        typer.Option(
            help="The same number generates the same rows, except for primary keys", min=0
        ),
    ] = 1,
) -> None:
    """Add example data for development, in one transaction.

    The database must be at the newest migration.
    A new local database is migrated first.
    """
    service = get_service(context)
    if not service.seeders:
        raise CommandFailed(
            "No feature has example data. List a seeder in SEEDERS in src/app/registry.py."
        )
    settings = service.migrated()
    # No statement timeout: that of the service is meant for requests.
    without_timeout = settings.database.model_copy(update={"statement_timeout": 0})
    settings = settings.model_copy(update={"database": without_timeout})
    counts = asyncio.run(_seed(service, settings, amount, random_seed))
    for table, rows in sorted(counts.items()):
        typer.echo(f"{table}: {rows} added")


async def _seed(
    service: Service, settings: KitSettings, amount: int, random_seed: int
) -> dict[str, int]:
    total = amount * len(service.seeders)
    bar = typer.progressbar(
        length=total, label="Seeding", hidden=total < _MIN_ROWS_FOR_PROGRESS_BAR, file=sys.stderr
    )
    async with open_database(service, settings, "seed") as database:
        try:
            with bar:
                return await seed_all(database, service.seeders, amount, random_seed, bar.update)
        except DBAPIError as error:
            problem = problem_from_db_error(error)
            if not isinstance(problem, Conflict):
                raise
            raise CommandFailed(
                f"Some of these rows already exist: {problem.detail} Nothing was added. "
                f"Generate other rows with --random-seed {random_seed + 1}."
            ) from error
