"""Shared fixtures.

One PostgreSQL per run, one database per xdist worker, one transaction per test.
"""

import logging
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from hypothesis import settings
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.kit.db.session import Database
from app.kit.observability.garbage_collector import freeze_gc
from app.kit.writes import transactions
from app.main import create_app
from tests.support.app import client_of, running, with_prepared_routes
from tests.support.database import MAINTENANCE, clone, settings_for, template_of
from tests.support.rolled_back_database import RolledBackDatabase

# For a long search: `pytest --hypothesis-profile=deep`.
settings.register_profile("deep", max_examples=5000)


def pytest_configure() -> None:
    """Show each request once in the log: the service logs it, and the test client would as well."""
    logging.getLogger("httpx2").setLevel(logging.WARNING)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show each log event of a failed test once: stderr already has the complete event."""
    report = yield
    names = {name for name, _ in report.sections}
    report.sections = [
        (name, content)
        for name, content in report.sections
        # "Captured log call" repeats the events of "Captured stderr call".
        if "log" not in name or name.replace("log", "stderr") not in names
    ]
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the URL of the template database to each pytest-xdist worker."""
    node.workerinput["template"] = template_of(node.config).render_as_string(hide_password=False)


def pytest_collection_finish() -> None:
    """Exclude existing objects from garbage collection, which saves a tenth of the run time."""
    freeze_gc()


def pytest_unconfigure() -> None:
    """Close the maintenance connections before the server stops."""
    MAINTENANCE.close()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def template(request: pytest.FixtureRequest) -> URL:
    """The migrated database that tests clone. Never write to it."""
    return template_of(request.config)


@pytest.fixture(scope="session")
def database_url(template: URL) -> Generator[URL]:
    """The database of this worker. It stays empty because every test rolls back."""
    with clone(template) as url:
        yield url


@pytest.fixture(scope="session")
async def app(anyio_backend: str, database_url: URL) -> AsyncGenerator[FastAPI]:
    """The service, started as in production, on this worker's database."""
    async with running(create_app(settings_for(database_url))) as app:
        yield app


@pytest.fixture(scope="session")
def database(app: FastAPI) -> Database:
    """The engine and sessions of the service."""
    found: Database = app.state.database
    return found


@pytest.fixture
async def connection(database: Database) -> AsyncGenerator[AsyncConnection]:
    """A connection in a transaction that rolls back after the test."""
    async with database.engine.connect() as connection:
        transaction = await connection.begin()
        yield connection
        await transaction.rollback()


@pytest.fixture
async def session(database: Database, connection: AsyncConnection) -> AsyncGenerator[AsyncSession]:
    """A session in the test's transaction, to create rows and to inspect them."""
    async with database.sessions(
        bind=connection, join_transaction_mode="create_savepoint"
    ) as session:
        yield session


@pytest.fixture
async def client(
    app: FastAPI, database: Database, connection: AsyncConnection
) -> AsyncGenerator[AsyncClient]:
    """A client of the service; its requests commit into the test's transaction.

    Each request has its own session, as in production, and a read-only session cannot write.
    """
    app.state.database = RolledBackDatabase.of(database, connection)
    async with client_of(app) as client:
        yield client
    app.state.database = database


@pytest.fixture
def own_database_url(template: URL) -> Generator[URL]:
    """A separate database for one test, for real commits, concurrency and faults."""
    with clone(template) as url:
        yield url


@pytest.fixture(scope="session")
def prepared(database_url: URL) -> FastAPI:
    """An app that is never started. `own_app` uses its routes, which are prepared only once."""
    return create_app(settings_for(database_url))


@pytest.fixture
async def own_app(own_database_url: URL, prepared: FastAPI) -> AsyncGenerator[FastAPI]:
    """The service on a separate database."""
    app = create_app(settings_for(own_database_url))
    async with running(with_prepared_routes(app, prepared)) as app:
        yield app


@pytest.fixture
def own_database(own_app: FastAPI) -> Database:
    """The engine and sessions of `own_app`."""
    found: Database = own_app.state.database
    return found


@pytest.fixture
async def own_session(own_database: Database) -> AsyncGenerator[AsyncSession]:
    """A session on the separate database, to create rows and to inspect them."""
    async with own_database.sessions() as session:
        yield session


@pytest.fixture
async def committing_client(own_app: FastAPI) -> AsyncGenerator[AsyncClient]:
    """A client whose requests commit to a separate database."""
    async with client_of(own_app) as client:
        yield client


@pytest.fixture
def without_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable retries, which would hide a deadlock."""
    monkeypatch.setattr(transactions, "ATTEMPTS", 1)
