"""`seed`: example data for development."""

import asyncio
import sys
from typing import Annotated

import typer
from sqlalchemy.exc import DBAPIError

from app.kit.cli.errors import CommandFailed
from app.kit.cli.seeding import seed_all
from app.kit.cli.service import Service, get_service
from app.kit.db.session import Database
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
    counts = asyncio.run(_seed(service, settings, amount, random_seed))
    for table, rows in sorted(counts.items()):
        typer.echo(f"{table}: {rows} added")


async def _seed(
    service: Service, settings: KitSettings, amount: int, random_seed: int
) -> dict[str, int]:
    # No statement timeout: that of the service is meant for requests.
    without_timeout = settings.database.model_copy(update={"statement_timeout": 0})
    database = Database.open(without_timeout, f"{service.name} seed")
    total = amount * len(service.seeders)
    hidden = total < _MIN_ROWS_FOR_PROGRESS_BAR
    try:
        with typer.progressbar(
            length=total, label="Seeding", hidden=hidden, file=sys.stderr
        ) as bar:
            return await seed_all(database, service.seeders, amount, random_seed, bar.update)
    except DBAPIError as error:
        problem = problem_from_db_error(error)
        if isinstance(problem, Conflict):
            raise CommandFailed(
                f"Some of these rows already exist: {problem.detail} Nothing was added. "
                f"Generate other rows with --random-seed {random_seed + 1}."
            ) from error
        if problem:
            raise problem from error
        raise
    finally:
        await database.close()
