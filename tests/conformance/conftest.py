"""Shared fixtures of the conformance suite, in addition to the service's `tests/conftest.py`."""

import io
import json
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from importlib.util import find_spec
from typing import Any, cast

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL
from structlog.stdlib import ProcessorFormatter

from app.kit.db.deletion import Model
from app.kit.db.pool import PoolSettings
from app.kit.observability import tracing
from local_postgres import ephemeral
from tests.conformance.support.cancellation import ignore_cancelled_connect_errors
from tests.conformance.support.notes_service import NotesService, notes_on
from tests.support.app import client_of
from tests.support.database import clone, migrated, settings_for

ReadLog = Callable[[], list[dict[str, Any]]]

# Tests of features that the service does not have.
collect_ignore = [
    path
    for path, is_present in {
        "example": find_spec("app.example") is not None,
        "example/test_callers.py": find_spec("app.kit.auth") is not None,
        "example/test_caller_spans.py": find_spec("app.kit.auth") is not None
        and hasattr(tracing, "exporter"),
        "kit/auth": find_spec("app.kit.auth") is not None,
        "kit/architecture/test_soft_delete.py": hasattr(Model, "deleted_at"),
        "kit/db/test_pool.py": PoolSettings().pooler == "none",
        "kit/db/test_pooler.py": PoolSettings().pooler == "pgbouncer",
        "kit/observability/test_tracing.py": hasattr(tracing, "exporter"),
    }.items()
    if not is_present
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
