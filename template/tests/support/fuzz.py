"""Requests generated from the OpenAPI schema of the service, and checks of their responses."""

# Schemathesis does not type its cases.
# pyright: reportUnknownVariableType=false

import json
import re
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
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

# Seconds. An endless stream of events exceeds it.
TIME_LIMIT = 30
# Longer than any string that Hypothesis generates.
_LONGEST = 10_000
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


def _openapi_schema() -> dict[str, Any]:
    return _application().openapi()


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
        for path, item in _openapi_schema()["paths"].items()
        for method, operation in item.items()
    }


@cache
def _generated() -> dict[str, Any]:
    # Imported here, because the import of Schemathesis takes a second.
    from schemathesis import openapi

    document: Any = openapi.from_dict(_shortened(_openapi_schema()))
    found = [operation.ok() for operation in document.get_all_operations()]
    return {operation.label: operation for operation in found}


def _shortened(part: Any) -> Any:
    """Reduce `maxLength`, because Schemathesis takes seconds to generate long text."""
    match part:
        case list():
            return [_shortened(each) for each in part]
        case {"maxLength": int(length), **others}:
            return {**_shortened(others), "maxLength": min(length, _LONGEST)}
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
        places = [match for name in names for match in _PARAMETER.findall(name.partition(" ")[2])]
        for name in names:
            method, _, path = name.partition(" ")
            if method != "GET" or "{" in path:
                continue
            with suppress(TimeoutError, LookupError, TypeError, ValueError):
                rows = _rows_in(self.send({"method": "GET", "url": path}).json())
                for row, (prefix, parameter) in ((row, place) for row in rows for place in places):
                    key = "id" if prefix == path and parameter not in row else parameter
                    if key in row:
                        self.known[parameter].append(str(row[key]))

    def check(self, name: str, mode: str, data: st.DataObject, *, may_be_503: bool = False) -> None:
        """Send a generated request; fail if OpenAPI does not describe the response.

        The mode is `positive` for requests that OpenAPI allows, `negative` for others.
        """
        # Hide this frame: the assertion message contains everything.
        __tracebackhide__ = True
        from schemathesis import GenerationMode

        strategy = _generated()[name].as_strategy(generation_mode=GenerationMode(mode))
        case: Any = data.draw(strategy)
        for parameter in case.path_parameters.keys() & self.known.keys():
            generated = case.path_parameters[parameter]
            values = st.just(generated) | st.sampled_from(self.known[parameter])
            case.path_parameters[parameter] = data.draw(values)
        request = _request_of(case)
        try:
            response = self.send(request)
        except InvalidURL:
            # The client rejects URLs longer than 64 KiB, so the service never receives them.
            reject()
        except TimeoutError:
            problem = f"no response within {TIME_LIMIT} s"
            raise AssertionError(_report(name, request, problem)) from None
        if problem := _problem_of(case, response, may_be_503=may_be_503):
            raise AssertionError(_report(name, request, problem, response))


def _rows_in(content: Any) -> list[dict[str, Any]]:
    rows: Any = content if isinstance(content, list) else content["items"]
    return [row for row in rows if isinstance(row, dict)]


def _request_of(case: Any) -> dict[str, Any]:
    request: dict[str, Any] = case.as_transport_kwargs(base_url="http://test")
    # The service reads no cookies.
    request.pop("cookies", None)
    # httpx calls a body of bytes `content`.
    if isinstance(request.get("data"), str | bytes):
        request["content"] = request.pop("data")
    return request


def _problem_of(case: Any, response: Response, *, may_be_503: bool) -> str:
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.failures import FailureGroup
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    described = [
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    is_expected = may_be_503 and response.status_code == 503
    try:
        case.validate_response(
            response, checks=described if is_expected else [not_a_server_error, *described]
        )
    except FailureGroup as group:
        return "\n".join(f"{each.title}. {each.message}" for each in group.exceptions)
    return ""


def _report(
    name: str, request: dict[str, Any], problem: str, response: Response | None = None
) -> str:
    lines = [f"{name}: {problem}", "", "The request:", *_lines_of(request)]
    if response is not None:
        lines += ["", f"The response: {response.status_code}", f"  {response.text[:1000]}"]
    return "\n".join(lines)


def _lines_of(request: dict[str, Any]) -> Iterator[str]:
    yield f"  {request['method']} {request['url']}"
    for name in ("params", "headers", "json", "content", "data", "files"):
        if request.get(name):
            value = request[name]
            shown = json.dumps(value) if name == "json" else repr(value)
            yield f"  {name}: {shown[:2000]}"
