"""Jobs: commands that use the database, such as nightly maintenance."""

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import wraps
from typing import Any, ParamSpec

import typer
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.cli.errors import CommandFailed
from app.kit.cli.service import Service, get_service
from app.kit.db.connections.startup_checks import wait_for_database
from app.kit.db.session import Database
from app.kit.errors.database_errors import (
    driver_error,
    is_undefined_object,
    missing_migration,
    problem_from_db_error,
)
from app.kit.errors.problems import Unavailable
from app.kit.migrations.lock import is_forbidden
from app.kit.migrations.runner import RevisionTableUnreadable, applied_revisions, load_revisions
from app.kit.observability.logging import configure_logging
from app.kit.settings import KitSettings

P = ParamSpec("P")

_CONTEXT = inspect.Parameter(
    "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
)


def job(function: Callable[P, Awaitable[str | None]]) -> Callable[..., None]:
    """Turn an async function into a command, which prints the returned message.

    Parameters of type `Database`, `AsyncSession` and `Settings` are injected. All other parameters
    are options and arguments of the command. The session is one transaction, committed at the end.
    Use the decorator below `@commands.command()`:

        @commands.command("delete-old-posts")
        @job
        async def delete_old(database: Database, days: int) -> str:
            ...

    The job waits for a database that is starting, and logs like the service. It exits with code 2
    and one message if the settings are invalid, the database cannot be reached, or the function
    raises `CommandFailed`. Any other exception is a bug: the job exits with code 1 and a traceback.
    """
    signature = inspect.signature(function, eval_str=True)
    resources = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if inspect.isclass(parameter.annotation)
        and issubclass(parameter.annotation, Database | AsyncSession | KitSettings)
    }
    options = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in signature.parameters.items()
        if name not in resources
    ]

    @wraps(function)
    def command(context: typer.Context, **values: Any) -> None:
        service = get_service(context)
        settings = service.settings.load()
        # Logging may be configured already, for example by a test runner.
        if not logging.getLogger().hasHandlers():
            configure_logging(settings.log)
        command_name = str(context.info_name)
        message = asyncio.run(_run(function, service, command_name, settings, resources, values))
        if message is not None:
            typer.echo(message)

    # Typer reads the options from the signature and the annotations.
    untyped: Any = command
    parameters = [_CONTEXT, *options]
    untyped.__signature__ = signature.replace(parameters=parameters, return_annotation=None)
    untyped.__annotations__ = {each.name: each.annotation for each in parameters}
    del untyped.__wrapped__
    return command


async def _run(
    function: Callable[..., Awaitable[str | None]],
    service: Service,
    command_name: str,
    settings: KitSettings,
    resources: dict[str, type[Any]],
    values: dict[str, Any],
) -> str | None:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(service, settings, command_name))
        for parameter, kind in resources.items():
            if issubclass(kind, Database):
                values[parameter] = database
            elif issubclass(kind, AsyncSession):
                values[parameter] = await stack.enter_async_context(database.transaction())
            else:
                values[parameter] = settings
        return await function(**values)


@asynccontextmanager
async def open_database(
    service: Service, settings: KitSettings, command_name: str
) -> AsyncGenerator[Database]:
    """Wait for the database of a command, and yield it. Raises CommandFailed or Unavailable.

    CommandFailed reports a missing privilege, a pending migration or a missing one.
    """
    await wait_for_database(settings.database)
    database = Database.open(settings.database, f"{service.name} {command_name}")
    try:
        yield database
    except DBAPIError as error:
        problem = problem_from_db_error(error)
        if isinstance(problem, Unavailable):
            raise problem from error
        if reason := await _reason_for(error, database, service.name):
            raise CommandFailed(reason) from error
        raise
    finally:
        await database.close()


async def _reason_for(error: DBAPIError, database: Database, program: str) -> str | None:
    """Return why the database rejected a statement, if the user can fix it."""
    if is_forbidden(error):
        return (
            f"PostgreSQL rejected a statement: {driver_error(error)}. Set DATABASE_URL to a role "
            "with the privileges that docs/database.md lists."
        )
    if not is_undefined_object(error):
        return None
    revisions = load_revisions()
    try:
        async with database.engine.connect() as connection:
            applied = await applied_revisions(connection)
    except RevisionTableUnreadable as unreadable:
        return f"PostgreSQL rejected a statement: {driver_error(error)}. {unreadable}"
    if revisions.is_compatible(applied):
        return missing_migration(error, program)
    return revisions.mismatch(applied, program)
