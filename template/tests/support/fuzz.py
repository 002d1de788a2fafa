"""Requests generated from the OpenAPI schema of the service, and checks of their responses."""

# Schemathesis does not type its cases.
# pyright: reportUnknownVariableType=false

import re
from collections import defaultdict
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

from anyio import fail_after
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from httpx2 import InvalidURL, Response
from hypothesis import HealthCheck, Phase, reject, settings
from hypothesis import strategies as st

from app.kit.http.application import Application
from app.main import create_app
from app.registry import ROUTERS
from app.settings import Settings
from tests.support.app import client_of, running

_BASE_URL = "http://test"
TIME_LIMIT = 30  # seconds; an endless stream of events exceeds it
# Longer than any string that Hypothesis generates.
_MAX_LENGTH = 10_000
_PARAMETER = re.compile(r"(.*?)/\{(\w+)[^}]*\}")


def fuzz_settings(examples: int) -> settings:
    """Return the Hypothesis settings of a test that sends one request per example."""
    return settings(
        max_examples=max(2, examples),
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@cache
def _application() -> FastAPI:
    application = Application()
    for router in ROUTERS:
        application.include_router(router)
    return application


def modules() -> dict[str, str]:
    """Return the module of each endpoint, by operation id."""
    routes = [context.original_route for context in iter_route_contexts(_application().routes)]
    return {
        route.name: route.endpoint.__module__ for route in routes if isinstance(route, APIRoute)
    }


def operations() -> dict[str, dict[str, Any]]:
    """Return the operations of the OpenAPI schema by method and path: `GET /users/{user_id}`."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in _application().openapi()["paths"].items()
        for method, operation in item.items()
    }


@cache
def _generated() -> dict[str, Any]:
    # Imported here, because the import of Schemathesis takes a second.
    from schemathesis import openapi

    document: Any = openapi.from_dict(_shortened(_application().openapi()))
    found = [operation.ok() for operation in document.get_all_operations()]
    return {operation.label: operation for operation in found}


def _shortened(part: Any) -> Any:
    """Reduce `maxLength`, because Schemathesis takes seconds to generate long text."""
    match part:
        case list():
            return [_shortened(each) for each in part]
        case {"maxLength": int(length), **others}:
            return {**_shortened(others), "maxLength": min(length, _MAX_LENGTH)}
        case dict():
            return {name: _shortened(each) for name, each in part.items()}
        case _:
            return part


@dataclass(frozen=True)
class FuzzedService:
    """The service on an event loop in another thread, because Hypothesis is synchronous."""

    portal: BlockingPortal
    app: FastAPI
    # Path parameters of existing rows, because a generated id finds no row.
    known: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    @contextmanager
    def start(cls, settings: Settings) -> Generator["FuzzedService"]:
        """Start the service as in production."""
        with start_blocking_portal() as portal:
            app = running(create_app(settings))
            with portal.wrap_async_context_manager(app) as started:
                yield cls(portal, started)

    def send(self, request: dict[str, Any]) -> Response:
        """Send a request; raises TimeoutError after TIME_LIMIT seconds."""
        response: Response = self.portal.call(self._send, request)
        return response

    async def _send(self, request: dict[str, Any]) -> Response:
        with fail_after(TIME_LIMIT):
            return await client_of(self.app).request(**request)

    def find_rows(self, names: Iterable[str]) -> None:
        """Read the list endpoints, and remember the path parameters of their rows."""
        params = [match for name in names for match in _PARAMETER.findall(name.partition(" ")[2])]
        for name in names:
            method, _, path = name.partition(" ")
            if method != "GET" or "{" in path:
                continue
            # Not every GET returns rows: it may stream, fail, or return another type.
            with suppress(TimeoutError, LookupError, TypeError, ValueError):
                rows = _rows_in(self.send({"method": "GET", "url": path}).json())
                for row, (prefix, parameter) in product(rows, params):
                    # The `user_id` of `/users/{user_id}` is the `id` of a row of `/users`.
                    column = "id" if prefix == path and parameter not in row else parameter
                    if column in row:
                        self.known[parameter].append(str(row[column]))

    def check(self, name: str, mode: str, data: st.DataObject, *, may_be_503: bool = False) -> None:
        """Send a generated request; fail if OpenAPI does not describe the response.

        The mode is `positive` for requests that OpenAPI allows, `negative` for others.
        """
        # Hide this frame: the assertion message contains everything.
        __tracebackhide__ = True
        from schemathesis import GenerationMode
        from schemathesis.core.failures import FailureGroup

        strategy = _generated()[name].as_strategy(generation_mode=GenerationMode(mode))
        case: Any = data.draw(strategy)
        for parameter in case.path_parameters.keys() & self.known.keys():
            generated = case.path_parameters[parameter]
            values = st.just(generated) | st.sampled_from(self.known[parameter])
            case.path_parameters[parameter] = data.draw(values)
        response: Response | None = None
        try:
            response = self.send(_request_of(case))
            is_expected = may_be_503 and response.status_code == 503
            case.validate_response(response, checks=_checks(may_be_server_error=is_expected))
            return
        except InvalidURL:
            # The client rejects URLs longer than 64 KiB, so the service never receives them.
            reject()
        except TimeoutError:
            problem = f"no response within {TIME_LIMIT} s (list an endless stream in EXCLUDED)"
        except FailureGroup as group:
            problem = "\n".join(f"{each.title}. {each.message}" for each in group.exceptions)
        if response is not None:
            problem += f"\n\nThe response: {response.status_code}\n  {response.text[:1000]}"
        request = case.as_curl_command(base_url=_BASE_URL)
        raise AssertionError(f"{name}: {problem}\n\nThe request:\n  {request[:4000]}")


def _rows_in(content: Any) -> list[dict[str, Any]]:
    rows: Any = content if isinstance(content, list) else content["items"]
    return [row for row in rows if isinstance(row, dict)]


def _request_of(case: Any) -> dict[str, Any]:
    request: dict[str, Any] = case.as_transport_kwargs(base_url=_BASE_URL)
    # The service reads no cookies.
    request.pop("cookies", None)
    # httpx calls a body of bytes `content`.
    if isinstance(request.get("data"), str | bytes):
        request["content"] = request.pop("data")
    return request


def _checks(*, may_be_server_error: bool) -> list[Any]:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    described = [status_code_conformance, content_type_conformance, response_schema_conformance]
    return described if may_be_server_error else [not_a_server_error, *described]
