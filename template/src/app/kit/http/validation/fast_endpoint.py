"""A short path through FastAPI for endpoints with ordinary parameters.

FastAPI interprets the signature of an endpoint at each request, which takes half of the time of a
small request. A `FastEndpoint` does this once. FastAPI still handles everything else, with the same
responses: synchronous functions, dependencies that end after the response, headers, cookies and
forms as parameters, other response classes, dependency overrides, telemetry, and invalid requests.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import dataclass
from inspect import isasyncgenfunction, iscoroutinefunction, unwrap
from typing import Any, NamedTuple, TypeAlias, cast
from urllib.parse import parse_qsl

from fastapi import Request, params
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import ResponseValidationError
from fastapi.utils import is_body_allowed_for_status_code
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.kit.http.asgi import header, may_have_body
from app.kit.http.middleware.request_limits import replayed
from app.kit.http.validation.json_body import JsonRequest, is_compressed
from app.kit.http.validation.request_fields import (
    Unsupported,
    is_plain_model,
    plain_alias,
    replace_fields,
    solve_generator,
)

Function: TypeAlias = Callable[..., Awaitable[Any]]

# Attributes of a Dependant.
_SUPPORTED_ATTRIBUTES = frozenset(
    {"path_params", "query_params", "body_params", "dependencies", "request_param_name"}
    | {"http_connection_param_name", "name", "call", "use_cache", "path", "scope"}
)
# Names of the `response_model_…` options of a route.
DUMP_OPTIONS = (
    *("include", "exclude", "by_alias"),
    *("exclude_unset", "exclude_defaults", "exclude_none"),
)
_JSON_TYPE = (b"content-type", b"application/json")


class _Parameter(NamedTuple):
    # `source` is "path", "query" or "body". `alias` is None for a whole body or query.
    field: Any
    source: str
    alias: str | None


@dataclass(frozen=True, slots=True)
class _Call:
    """A function to call: a dependency or the endpoint."""

    dependant: Dependant
    # Whether it is a dependency with `yield`.
    is_generator: bool
    request_name: str | None
    parameters: tuple[_Parameter, ...]
    # Names of arguments, and the functions that return their values.
    dependencies: tuple[tuple[str | None, Function], ...]

    def validate(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of all parameters, or raise Unsupported for an invalid request."""
        values: dict[str, Any] = {}
        for field, source, alias in self.parameters:
            value = data[source]
            if alias is not None:
                value = value.get(alias)
                if value is None:
                    if field.field_info.is_required():
                        raise Unsupported
                    values[field.name] = deepcopy(field.default)
                    continue
            # Without a location: FastAPI reports the errors.
            values[field.name], errors = field.validate(value)
            if errors:
                raise Unsupported
        return values


class FastEndpoint:
    """Responds to requests of a route. Creating it raises Unsupported if only FastAPI can do so."""

    def __init__(self, route: Any, fallback: ASGIApp) -> None:
        replace_fields(route.dependant)
        self._fallback = fallback
        self._provider = route.dependency_overrides_provider
        # In the order of execution; the endpoint is the last one.
        self._calls: dict[Function, _Call] = {}
        self._add(route.dependant)
        self._has_generators = any(call.is_generator for call in self._calls.values())
        self._has_body = route.body_field is not None
        self._request = JsonRequest if may_have_body(route) else Request
        self._status: int = route.status_code or 200
        self._response_field = route.response_field
        self._options = {name: getattr(route, f"response_model_{name}") for name in DUMP_OPTIONS}
        sources = [each.source for call in self._calls.values() for each in call.parameters]
        if (
            sources.count("body") != int(self._has_body)
            or self._response_field is None
            or not iscoroutinefunction(route.dependant.call)
            or route.max_body_size is not None
            or not is_body_allowed_for_status_code(self._status)
            or not isinstance(route.response_class, DefaultPlaceholder)
        ):
            raise Unsupported

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if self._provider.dependency_overrides or "fastapi.telemetry" in scope:
            await self._fallback(scope, receive, send)
            return
        request = self._request(scope, receive, send)
        try:
            values = await self._validate(request)
        except Unsupported:
            if self._has_body:
                receive = replayed(await request.body(), receive)
            await self._fallback(scope, receive, send)
            return
        result: Any = None
        if self._has_generators:
            # As in FastAPI: the dependencies end before the response is sent.
            async with AsyncExitStack() as request_stack, AsyncExitStack() as stack:
                scope["fastapi_inner_astack"] = request_stack
                result = await self._run(request, values, stack)
        else:
            result = await self._run(request, values)
        if isinstance(result, Response):
            await result(scope, receive, send)
            return
        if result is None:
            raise RuntimeError("A dependency with yield caught an exception and did not raise it.")
        headers = [(b"content-length", b"%d" % len(result)), _JSON_TYPE]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": result})

    async def _run(
        self, request: Request, values: list[dict[str, Any]], stack: AsyncExitStack | None = None
    ) -> Response | bytes:
        """Call the dependencies and the endpoint. Return its response, or the body of one."""
        results: dict[Function, Any] = {}
        result: Any = None
        for (function, call), arguments in zip(self._calls.items(), values, strict=True):
            arguments |= {name: results[each] for name, each in call.dependencies if name}
            if call.request_name:
                arguments[call.request_name] = request
            if call.is_generator and stack:
                result = await solve_generator(
                    request=request, dependant=call.dependant, stack=stack, sub_values=arguments
                )
            else:
                result = await function(**arguments)
            results[function] = result
        return result if isinstance(result, Response) else self._serialize(result)

    async def _validate(self, request: Request) -> list[dict[str, Any]]:
        scope = request.scope
        data: dict[str, Any] = {"path": scope["path_params"], "query": {}}
        if query := scope["query_string"]:
            pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
            data["query"] = dict(pairs)
            if len(pairs) != len(data["query"]):
                raise Unsupported
        if self._has_body:
            media_type = header(scope, b"content-type").partition(";")[0]
            is_json = media_type == "application/json" and not is_compressed(scope)
            if not is_json or not await request.body():
                raise Unsupported
            try:
                data["body"] = await request.json()
            except Exception as error:
                raise Unsupported from error
        return [call.validate(data) for call in self._calls.values()]

    def _serialize(self, result: Any) -> bytes:
        value, errors = self._response_field.validate(result, {}, loc=("response",))
        if errors:
            raise ResponseValidationError(errors, body=result)
        body: bytes = self._response_field.serialize_json(value, **self._options)
        return body

    def _add(self, dependant: Dependant) -> None:
        """Add the calls of a function and of its dependencies."""
        function: Any = dependant.call
        used = {name for name in Dependant.__slots__ if getattr(dependant, name)}
        is_coroutine = _matches(iscoroutinefunction, function)
        is_generator = dependant.scope == "function" and _matches(isasyncgenfunction, function)
        is_supported = used <= _SUPPORTED_ATTRIBUTES and dependant.use_cache
        if not is_supported or is_coroutine == is_generator:
            raise Unsupported
        for each in dependant.dependencies:
            if each.scope and _matches(iscoroutinefunction, each.call):
                # FastAPI calls it once for each scope.
                raise Unsupported
            self._add(each)
        parameters = [_Parameter(field, "path", field.alias) for field in dependant.path_params]
        for field in dependant.query_params:
            alias = None if is_plain_model(field) else plain_alias(field)
            parameters.append(_Parameter(field, "query", alias))
        for field in dependant.body_params:
            info: Any = field.field_info
            if isinstance(info, params.Form) or info.embed:
                raise Unsupported
            parameters.append(_Parameter(field, "body", None))
        self._calls[function] = _Call(
            dependant,
            is_generator,
            dependant.request_param_name or dependant.http_connection_param_name,
            tuple(parameters),
            tuple((each.name, cast("Function", each.call)) for each in dependant.dependencies),
        )


def _matches(check: Callable[[Any], bool], function: Any) -> bool:
    """Return whether a check accepts a function, and the function that it wraps."""
    return check(function) and check(unwrap(function))
