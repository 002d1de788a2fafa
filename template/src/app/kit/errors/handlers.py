"""Exception handlers, which convert exceptions to problem documents."""

import http.client
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, cast

import asyncpg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError, ValidationException
from pydantic import ValidationError
from sqlalchemy.exc import StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException

from app.kit.errors.database_errors import driver_error, is_undefined_object, problem_from_db_error
from app.kit.errors.field_paths import locate_errors
from app.kit.errors.problems import (
    MAX_ERRORS,
    PROBLEM_MEDIA_TYPE,
    CommitOutcomeUnknown,
    Conflict,
    FieldProblem,
    Invalid,
    Problem,
    ProblemDocument,
    Unavailable,
    status_title,
)
from app.kit.observability.health import migration_problem

_log = structlog.get_logger(__name__)


def add_exception_handlers(app: FastAPI) -> None:
    """Respond to every exception with a problem document."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(ExceptionGroup, _on_group)
    app.add_exception_handler(Exception, handle_unexpected_error)


def response_from_problem(problem: Problem) -> Response:
    """Return the response for a problem, and log the reason of a 5xx. Middleware uses this too."""
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        cause = problem.__cause__
        traceback = cause if isinstance(problem, CommitOutcomeUnknown) else None
        _log.warning(
            "request failed", reason=problem.detail, cause=_describe(cause), exc_info=traceback
        )
    return problem_response(problem.status, problem.detail, problem.errors, problem.headers)


def problem_response(
    status: int,
    detail: str = "",
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a problem document as a response. The default detail is the title."""
    document = ProblemDocument(
        title=status_title(status),
        status=status,
        detail=detail or status_title(status),
        request_id=structlog.contextvars.get_contextvars().get("request_id"),
        errors=errors or None,
    )
    return Response(
        # Not Pydantic's JSON, which fails for lone surrogates in text from the client.
        json.dumps(document.model_dump(exclude_none=True), separators=(",", ":")),
        status_code=status,
        headers=headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


async def _on_problem(request: Request, error: Any) -> Response:
    return response_from_problem(locate_errors(request, error))


async def _on_invalid_request(_request: Request, error: Any) -> Response:
    # Omits `input` and `ctx`, which may contain secrets or values that are not JSON.
    found = error.errors()
    errors = [FieldProblem.at(item["loc"], item["msg"]) for item in found[:MAX_ERRORS]]
    detail = "The request is not valid."
    if more := len(found) - len(errors):
        detail += f" Errors not listed: {more}."
    return response_from_problem(Invalid(detail, *errors))


async def _on_http_exception(request: Request, error: Any) -> Response:
    if isinstance(error.__cause__, Problem):
        # FastAPI wraps exceptions that reading the body raises.
        return response_from_problem(error.__cause__)
    detail = str(error.detail)
    if detail == http.client.responses.get(error.status_code):
        # Starlette's default phrase depends on the Python version.
        detail = status_title(error.status_code)
    headers: dict[str, str] | None = error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # Starlette lists the methods of one route, but a path may have several routes.
        allowed = request.app.router.allowed_methods(request.scope)
        if allowed and request.method not in allowed:
            headers = {**(headers or {}), "Allow": ", ".join(allowed)}
    return problem_response(error.status_code, detail, headers=headers)


async def _on_database_error(request: Request, error: Any) -> Response:
    if problem := problem_from_db_error(error):
        problem = locate_errors(request, problem, error)
        problem.__cause__ = driver_error(error)
        return response_from_problem(problem)
    if is_undefined_object(error) and (problem := await migration_problem(request.app, error)):
        return response_from_problem(problem)
    return await handle_unexpected_error(request, error)


async def _on_rejected_value(request: Request, error: Any) -> Response:
    # A statement that did not run through SQLAlchemy.
    return await _on_database_error(request, StatementError(str(error), None, None, error))


async def _on_stale(_request: Request, _error: Any) -> Response:
    problem = Conflict("Another request changed or deleted the resource. Read it again.")
    return response_from_problem(problem)


async def _on_busy(_request: Request, error: Any) -> Response:
    problem = Unavailable("The service is busy. Try again in a moment.")
    problem.__cause__ = error
    return response_from_problem(problem)


async def _on_group(request: Request, error: Any) -> Response:
    # A task group failed. Handle its first exception that has a handler.
    found: Any = error.subgroup(tuple(_HANDLERS))
    while exceptions := getattr(found, "exceptions", None):
        found = exceptions[0]
    handlers = (each for kind, each in _HANDLERS.items() if isinstance(found, kind))
    return await next(handlers, handle_unexpected_error)(request, found or error)


async def handle_unexpected_error(_request: Request, error: Any) -> Response:
    """Log an unexpected exception and respond with 500."""
    _log.error("unhandled exception", exc_info=_without_values(error))
    return problem_response(500, "An unexpected error occurred. Its traceback is logged.")


_HANDLERS: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
    Problem: _on_problem,
    RequestValidationError: _on_invalid_request,
    HTTPException: _on_http_exception,
    StatementError: _on_database_error,
    asyncpg.DataError: _on_rejected_value,
    PoolTimeoutError: _on_busy,
    StaleDataError: _on_stale,
}


def _describe(error: BaseException | None) -> str | None:
    # The messages of other exceptions may contain values.
    if isinstance(error, OSError | asyncpg.PostgresError | PoolTimeoutError):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__ if error else None


def _without_values(error: BaseException, *outer: BaseException) -> BaseException:
    """Replace validation errors in a chain or group of exceptions. Their messages have values."""
    if isinstance(error, ValidationError | ValidationException):
        errors = [f"{'.'.join(map(str, item['loc']))} ({item['type']})" for item in error.errors()]
        redacted = ValueError(f"{type(error).__name__}: {', '.join(errors)}")
        return redacted.with_traceback(error.__traceback__)
    cause, seen = error.__cause__, (*outer, error)
    # `raise … from None` suppresses the context.
    inner = cause or (None if error.__suppress_context__ else error.__context__)
    # A chain may have cycles, for example if an exception of a group is raised from the group.
    chained = None if inner is None or inner in seen else _without_values(inner, *seen)
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        parts = [_without_values(each, *seen) for each in group.exceptions]
        error = group.derive(parts).with_traceback(group.__traceback__)
    if cause:
        error.__cause__ = chained
    else:
        error.__context__ = chained
    return error
