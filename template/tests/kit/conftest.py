"""What the tests of the kit share."""

import io
import json
import logging
from collections.abc import Callable, Generator
from typing import Any

import pytest
from fastapi import FastAPI
from structlog.stdlib import ProcessorFormatter

Logged = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def logged(own_app: FastAPI) -> Generator[Logged]:
    """Read what the service has logged so far, as whoever collects its lines of JSON."""
    handlers: list[logging.StreamHandler[Any]] = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler)
        and isinstance(handler.formatter, ProcessorFormatter)
    ]
    (handler,) = handlers
    lines = io.StringIO()
    stderr = handler.setStream(lines)
    yield lambda: [json.loads(line) for line in lines.getvalue().splitlines()]
    handler.setStream(stderr)
