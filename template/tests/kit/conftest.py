"""Shared fixtures of the kit's tests."""

import io
import json
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, cast

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL
from structlog.stdlib import ProcessorFormatter

from tests.kit.notes import Notes, notes_on
from tests.rig.app import client_of
from tests.rig.database import clone

Logged = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def logged(own_app: FastAPI) -> Generator[Logged]:
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
def url_of_notes(unpooled_template: URL) -> Generator[URL]:
    with clone(unpooled_template) as url:
        yield url


@pytest.fixture(scope="module")
async def notes(anyio_backend: str, url_of_notes: URL) -> AsyncGenerator[Notes]:
    """A separate service behind a proxy that can break its database connections."""
    async with notes_on(url_of_notes) as notes:
        yield notes


@pytest.fixture
async def caller(served: FastAPI) -> AsyncGenerator[AsyncClient]:
    """A client of the service that the test module provides as `served`."""
    async with client_of(served) as client:
        yield client
