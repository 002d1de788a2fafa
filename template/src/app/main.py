"""The application: `uvicorn --factory app.main:create_app`."""

import sys
from asyncio import gather
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from app.about import DESCRIPTION, NAME, TITLE
from app.kit.db.connections.startup_checks import log_server_warnings
from app.kit.db.session import Database
from app.kit.http.application import Application
from app.kit.http.authentication import Authentication
from app.kit.migrations.runner import load_revisions
from app.kit.observability.garbage_collector import freeze_gc
from app.kit.observability.health import Readiness
from app.kit.observability.logging import configure_logging
from app.kit.observability.metrics import Metrics
from app.kit.observability.tracing import Tracing
from app.kit.settings import SettingsError
from app.registry import ROUTERS
from app.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the application. Without `settings`, read them from the environment."""
    # A caller that passes settings, such as a test, runs other code in the same process.
    owns_process = settings is None
    settings = settings or _from_environment()
    configure_logging(settings.log)
    metrics = Metrics.from_settings(settings.metrics)
    tracing = Tracing.from_settings(NAME)
    authentication = Authentication.from_settings(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        # Closes in reverse order, also if startup or another `close` fails.
        async with AsyncExitStack() as stack:
            stack.push_async_callback(tracing.close)
            if metrics:
                stack.push_async_callback(metrics.stop)
            stack.push_async_callback(authentication.close)
            listeners = [metrics.statement] if metrics else []
            app.state.database = database = Database.open(settings.database, NAME, *listeners)
            stack.push_async_callback(database.close)
            if metrics:
                metrics.start(database)
            app.state.readiness = readiness = Readiness(settings.database, NAME, load_revisions())
            stack.push_async_callback(readiness.close)
            await gather(readiness.log_status(), log_server_warnings(database, settings.database))
            if owns_process:
                freeze_gc()
            yield

    app = Application(
        title=TITLE,
        description=DESCRIPTION,
        lifespan=lifespan,
        http=settings.http,
        concurrency_limit=settings.concurrency_limit,
        metrics=metrics,
        telemetry=tracing.telemetry,
        authentication=authentication,
        openapi_url="/openapi.json" if settings.docs else None,
    )
    app.state.settings = settings
    for router in ROUTERS:
        app.include_router(router)
    return app


def _from_environment() -> Settings:
    try:
        return Settings.load()
    except SettingsError as error:
        # The server calls this factory at startup: exit with the message, not a traceback.
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
