"""Shared fixtures of the conformance suite, in addition to the service's `tests/conftest.py`."""

import io
import json
import logging
import os
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, cast
from unittest.mock import patch

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL
from structlog.stdlib import ProcessorFormatter

from app.kit.db.pool import PoolSettings
from local_postgres import ephemeral
from tests.conformance.support.cancellation import ignore_cancelled_connect_errors
from tests.conformance.support.notes_service import NotesService, notes_on
from tests.support.app import client_of
from tests.support.authentication import auth_variables
from tests.support.database import clone, migrated, settings_for

ReadLog = Callable[[], list[dict[str, Any]]]

# Only the tests of the pooler that the service uses. The suite's copy lacks tests of other modules.
collect_ignore = [
    "kit/db/test_pooler.py" if PoolSettings().pooler == "none" else "kit/db/test_pool.py"
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that runs fault and load tests at full scale."""
    parser.addoption(
        "--full-scale", action="store_true", help="run fault and load tests at full scale (minutes)"
    )


@pytest.fixture(scope="session")
def full_scale(pytestconfig: pytest.Config) -> bool:
    """Whether to run at full scale (minutes). The default scale shows the same in seconds."""
    return bool(pytestconfig.getoption("--full-scale", default=False))


@pytest.fixture(scope="session", autouse=True)
def _auth_environment() -> Generator[None]:
    """Set the variables of sign-in, for tests that load settings or start processes."""
    with patch.dict(os.environ, auth_variables()):
        yield


@pytest.fixture(scope="session", autouse=True)
async def _ignore_cancelled_connect_errors(anyio_backend: str) -> None:
    ignore_cancelled_connect_errors()


@pytest.fixture(scope="session")
def unpooled_template(template: URL) -> Generator[URL]:
    """The migrated template database without a connection pooler. Never write to it."""
    if settings_for(template).database.pooler == "none":
        yield template
    else:
        with ephemeral() as server, migrated(server) as url:
            yield url


@pytest.fixture
def unpooled_url(unpooled_template: URL) -> Generator[URL]:
    """A separate database for one test, without a connection pooler."""
    with clone(unpooled_template) as url:
        yield url


@pytest.fixture
def read_log(own_app: FastAPI) -> Generator[ReadLog]:
    """Return a function that parses the JSON log lines written so far."""
    (handler,) = cast(
        list[logging.StreamHandler[Any]],
        [
            handler
            for handler in logging.getLogger().handlers
            if isinstance(handler.formatter, ProcessorFormatter)
        ],
    )
    lines = io.StringIO()
    stderr = handler.stream
    handler.setStream(lines)
    yield lambda: [json.loads(line) for line in lines.getvalue().splitlines()]
    handler.setStream(stderr)


@pytest.fixture(scope="module")
def notes_url(unpooled_template: URL) -> Generator[URL]:
    with clone(unpooled_template) as url:
        yield url


@pytest.fixture(scope="module")
async def notes(anyio_backend: str, notes_url: URL) -> AsyncGenerator[NotesService]:
    """A separate service behind a proxy that can break its database connections."""
    async with notes_on(notes_url) as notes:
        yield notes


@pytest.fixture
async def module_client(module_app: FastAPI) -> AsyncGenerator[AsyncClient]:
    """A client of the service that the test module provides as `module_app`."""
    async with client_of(module_app) as client:
        yield client
