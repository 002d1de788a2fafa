"""A short path through FastAPI for endpoints with ordinary parameters.

FastAPI interprets the signature of an endpoint at each request, which takes half of the time of a
small request. A `FastEndpoint` does this once. FastAPI still handles everything else, with the same
responses: dependencies with `yield`, synchronous functions, headers, cookies and forms as
parameters, other response classes, dependency overrides, telemetry, and all invalid requests.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from inspect import iscoroutinefunction, unwrap
from typing import Any, NamedTuple, TypeAlias, cast
from urllib.parse import parse_qsl

from fastapi import Request, params
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import ResponseValidationError
from fastapi.routing import RouteContext
from fastapi.utils import is_body_allowed_for_status_code
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.kit.http.middleware.asgi_headers import header
from app.kit.http.middleware.request_limits import replayed
from app.kit.http.routing import may_have_body
from app.kit.http.validation.json_body import JsonRequest
from app.kit.http.validation.model_field import ModelField, Unsupported, is_plain_model, plain_alias
from app.kit.http.validation.request_fields import prepare

Function: TypeAlias = Callable[..., Awaitable[Any]]

_SUPPORTED = frozenset(
    {"path_params", "query_params", "body_params", "dependencies", "request_param_name"}
    | {"http_connection_param_name", "name", "call", "use_cache", "path", "scope"}
)
_OPTIONS = ("include", "exclude", "by_alias", "exclude_unset", "exclude_defaults", "exclude_none")
_JSON = (b"content-type", b"application/json")


class _Parameter(NamedTuple):
    """A parameter of a function. `alias` is None if it is a whole body or query."""

    field: ModelField
    place: str
    alias: str | None


@dataclass(frozen=True, slots=True)
class _Call:
    """A function to call: a dependency or the endpoint."""

    function: Function
    request_name: str | None
    parameters: tuple[_Parameter, ...]
    # Names of arguments, and the functions that return their values.
    dependencies: tuple[tuple[str | None, Function], ...]

    def validate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of all parameters, or raise Unsupported for an invalid request."""
        values: dict[str, Any] = {}
        for field, place, alias in self.parameters:
            value = given[place]
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


class FastRoutes:
    """Passes a request to the first matching route, or to FastAPI if no route matches."""

    def __init__(self, routes: Iterable[RouteContext], fallback: ASGIApp) -> None:
        self._fallback = fallback
        self._routes = [(each, each.path_regex, self._endpoint(each)) for each in routes]

    def _endpoint(self, route: RouteContext) -> ASGIApp:
        try:
            return FastEndpoint(route, self._fallback)
        except Unsupported:
            return self._fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        for route, regex, endpoint in self._routes:
            if (match := regex.match(path)) and scope["method"] in (route.methods or ()):
                if endpoint is not self._fallback:
                    _select(scope, route, match.groupdict())
                await endpoint(scope, receive, send)
                return
        await self._fallback(scope, receive, send)


def _select(scope: Scope, route: RouteContext, found: dict[str, str]) -> None:
    """Set the same values in the scope as FastAPI's routers."""
    values = {name: route.param_convertors[name].convert(text) for name, text in found.items()}
    scope["path_params"] = {**scope.get("path_params", {}), **values}
    scope["route"], scope["endpoint"] = route.original_route, route.endpoint
    scope.setdefault("fastapi", {})["effective_route_context"] = route


class FastEndpoint:
    """Responds to the requests of one route, or lets FastAPI do it. Raises Unsupported."""

    def __init__(self, route: Any, fallback: ASGIApp) -> None:
        prepare(route.dependant)
        self._fallback = fallback
        self._provider = route.dependency_overrides_provider
        # In the order of execution; the endpoint is the last one.
        self._calls: dict[Function, _Call] = {}
        self._add(route.dependant)
        self._has_body = route.body_field is not None
        self._request = JsonRequest if may_have_body(route) else Request
        self._status: int = route.status_code or 200
        self._field = route.response_field
        self._options = {name: getattr(route, f"response_model_{name}") for name in _OPTIONS}
        places = [each.place for call in self._calls.values() for each in call.parameters]
        if (
            places.count("body") != self._has_body
            or self._field is None
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
        results: dict[Function, Any] = {}
        result: Any = None
        for (function, call), arguments in zip(self._calls.items(), values, strict=True):
            for name, dependency in call.dependencies:
                if name is not None:
                    arguments[name] = results[dependency]
            if call.request_name:
                arguments[call.request_name] = request
            results[function] = result = await function(**arguments)
        if isinstance(result, Response):
            await result(scope, receive, send)
            return
        body = self._serialize(result)
        headers = [(b"content-length", b"%d" % len(body)), _JSON]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _validate(self, request: Request) -> list[dict[str, Any]]:
        scope = request.scope
        given: dict[str, Any] = {"path": scope["path_params"], "query": {}}
        if query := scope["query_string"]:
            pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
            given["query"] = dict(pairs)
            if len(pairs) != len(given["query"]):
                raise Unsupported
        if self._has_body:
            media_type = header(scope, b"content-type").partition(";")[0]
            if media_type != "application/json" or not await request.body():
                raise Unsupported
            try:
                given["body"] = await request.json()
            except Exception as error:
                raise Unsupported from error
        return [call.validate(given) for call in self._calls.values()]

    def _serialize(self, result: Any) -> bytes:
        value, errors = self._field.validate(result, {}, loc=("response",))
        if errors:
            raise ResponseValidationError(errors, body=result)
        body: bytes = self._field.serialize_json(value, **self._options)
        return body

    def _add(self, dependant: Dependant) -> None:
        """Add the calls of a function and of its dependencies."""
        function: Any = dependant.call
        used = {name for name in Dependant.__slots__ if getattr(dependant, name)}
        is_coroutine = iscoroutinefunction(function) and iscoroutinefunction(unwrap(function))
        if not (used <= _SUPPORTED and dependant.use_cache and is_coroutine):
            raise Unsupported
        for each in dependant.dependencies:
            if each.scope:
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
            function,
            dependant.request_param_name or dependant.http_connection_param_name,
            tuple(parameters),
            tuple((each.name, cast("Function", each.call)) for each in dependant.dependencies),
        )
