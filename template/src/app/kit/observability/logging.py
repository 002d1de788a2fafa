"""Structured logging: one line of JSON per event, with the id of the request."""

import logging
import sys
from collections.abc import MutableMapping
from contextlib import nullcontext
from typing import Any, TypeAlias

import structlog

from app.kit.http import authentication
from app.kit.observability import tracing
from app.kit.settings import LogSettings

# The logger of request events.
ACCESS_LOG = "app.access"
_ECHO_LOGGERS = (
    "sqlalchemy.engine.Engine",
    "sqlalchemy.pool.impl.AsyncAdaptedQueuePool",
    "sqlalchemy.pool.impl.NullPool",
)

Event: TypeAlias = MutableMapping[str, Any]
_render = structlog.processors.JSONRenderer()


class _Handler(logging.StreamHandler[Any]):
    """A class by which `_write_request_event` recognizes the handler of `configure_logging`."""


def configure_logging(settings: LogSettings) -> None:
    """Send the logs of the service and of every library through structlog to stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        *tracing.LOG_PROCESSORS,
        *authentication.LOG_PROCESSORS,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers: list[Any] = (
        # Without local variables, which may contain secrets.
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if settings.format == "json"
        else [_console_renderer()]
    )
    handler = _Handler()
    direct = [_write_request_event] if settings.format == "json" else []
    structlog.configure(
        processors=[*shared, *direct, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        # Drops events below the level before other processors run.
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.level]
        ),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level)
    for name in _ECHO_LOGGERS:
        # With DATABASE_ECHO, SQLAlchemy adds a handler to a logger that has none, which would log
        # each statement twice.
        logging.getLogger(name).handlers = [logging.NullHandler()]
        logging.getLogger(name).addFilter(_is_not_parameter_notice)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    # ResponseMiddleware already logs each request, with its id.
    logging.getLogger("uvicorn.access").disabled = True


def _write_request_event(logger: logging.Logger, method: str, event: Event) -> Event:
    """Write a request event directly, which is three times as fast as a `logging` record.

    Passes on other events, and all events if other log handlers are configured.
    """
    handlers = logging.getLogger().handlers
    handler = handlers[0] if len(handlers) == 1 else None
    if event["logger"] != ACCESS_LOG or logger.handlers or not isinstance(handler, _Handler):
        return event
    if logger.isEnabledFor(logging.INFO):
        with handler.lock or nullcontext():
            handler.stream.write(f"{_render(logger, method, event)!s}\n")
            handler.flush()
    raise structlog.DropEvent


def _is_not_parameter_notice(record: logging.LogRecord) -> bool:
    # SQLAlchemy logs this line after each statement if parameters are hidden.
    return "[SQL parameters hidden" not in str(record.msg)


def _console_renderer() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
