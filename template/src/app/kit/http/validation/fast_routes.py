"""Routes that pass their requests to a `FastEndpoint`."""

from collections.abc import Iterable

from fastapi.routing import RouteContext
from starlette.types import ASGIApp, Receive, Scope, Send

from app.kit.http.validation.fast_endpoint import FastEndpoint
from app.kit.http.validation.model_field import Unsupported


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
