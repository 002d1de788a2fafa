"""One PostgreSQL a run, one database a worker, one transaction a test."""

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
from app.kit.garbage import spare_what_stays
from app.main import create_app
from tests.rig.app import client_of, running, with_prepared_routes
from tests.rig.database import (
    MAINTENANCE,
    clone,
    settings_for,
    template_for_workers,
    template_of,
)
from tests.rig.rolled_back import RolledBackDatabase

# For a search through the night: `pytest --hypothesis-profile=deep`.
settings.register_profile("deep", max_examples=5000)


def pytest_configure() -> None:
    """Show each request once in the log: the service logs it, and the test client would as well."""
    logging.getLogger("httpx2").setLevel(logging.WARNING)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show each log event of a failed test once: the service writes it to stderr, in full."""
    report = yield
    names = [name for name, _ in report.sections]
    report.sections = [
        (name, content)
        for name, content in report.sections
        if name.replace("Captured log", "Captured stderr") not in names or "log" not in name
    ]
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give each worker of pytest-xdist the one template to clone."""
    node.workerinput["template"] = template_for_workers(node.config)


def pytest_collection_finish() -> None:
    """Let Python look for garbage only among what tests make: a tenth of the time otherwise."""
    spare_what_stays()


def pytest_unconfigure() -> None:
    """Let go of the server before it stops."""
    MAINTENANCE.close()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def template(request: pytest.FixtureRequest) -> URL:
    """A migrated database to clone, never to write to."""
    return template_of(request.config)


@pytest.fixture(scope="session")
def database_url(template: URL) -> Generator[URL]:
    """The database of this worker. It stays empty: every test rolls back."""
    with clone(template) as url:
        yield url


@pytest.fixture(scope="session")
async def app(anyio_backend: str, database_url: URL) -> AsyncGenerator[FastAPI]:
    """The service, started as in production, on the database of this worker."""
    async with running(create_app(settings_for(database_url))) as app:
        yield app


@pytest.fixture(scope="session")
def database(app: FastAPI) -> Database:
    """The engine and sessions of the service."""
    found: Database = app.state.database
    return found


@pytest.fixture
async def connection(database: Database) -> AsyncGenerator[AsyncConnection]:
    """A connection in a transaction that is rolled back after the test."""
    async with database.engine.connect() as connection:
        transaction = await connection.begin()
        yield connection
        await transaction.rollback()


@pytest.fixture
async def session(database: Database, connection: AsyncConnection) -> AsyncGenerator[AsyncSession]:
    """A session in the transaction of the test, to prepare rows and to look at them."""
    async with database.sessions(
        bind=connection, join_transaction_mode="create_savepoint"
    ) as session:
        yield session


@pytest.fixture
async def client(
    app: FastAPI, database: Database, connection: AsyncConnection
) -> AsyncGenerator[AsyncClient]:
    """A client of the service; its requests commit into the transaction of the test.

    Each request has a session of its own, so that what it did not load is not there; one that
    only reads cannot write here either.
    """
    app.state.database = RolledBackDatabase.of(database, connection)
    async with client_of(app) as client:
        yield client
    app.state.database = database


@pytest.fixture
def own_database_url(template: URL) -> Generator[URL]:
    """A database of the test's own, for real commits, concurrency and faults."""
    with clone(template) as url:
        yield url


@pytest.fixture(scope="session")
def prepared(database_url: URL) -> FastAPI:
    """A service that is never started; its routes serve all that have a database of their own."""
    return create_app(settings_for(database_url))


@pytest.fixture
async def own_app(own_database_url: URL, prepared: FastAPI) -> AsyncGenerator[FastAPI]:
    """The service on a database of the test's own."""
    app = create_app(settings_for(own_database_url))
    async with running(with_prepared_routes(app, prepared)) as app:
        yield app


@pytest.fixture
async def committing_client(own_app: FastAPI) -> AsyncGenerator[AsyncClient]:
    """A client whose requests really commit."""
    async with client_of(own_app) as client:
        yield client
