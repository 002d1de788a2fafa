"""ASGI scopes and messages: headers, and the path and the route of a request."""

from collections.abc import Iterable
from typing import Any

from starlette.types import Message, Scope

# Key in the ASGI scope: the root path of the application, with the path of its mount.
ROOT = "app.root_path"
HEALTH = "/health/"
# Methods of requests that only read.
READING = frozenset({"GET", "HEAD"})

# Pairs of bytes, with names in lower case. Starlette's `Headers` decodes all headers to read one,
# and its `MutableHeaders` compares all of them to add one. Both together would take a tenth of the
# time of a small request.
Headers = tuple[tuple[bytes, bytes], ...]


def header(source: Scope | Message, name: bytes) -> str:
    """Return a header of a request or of the start of a response, or an empty string."""
    for given, value in source.get("headers", ()):
        if given == name:
            text: str = value.decode("latin-1")
            return text
    return ""


def set_default_headers(message: Message, headers: Headers) -> None:
    """Add headers to the start of a response, except those that it already has."""
    given: Iterable[tuple[bytes, bytes]] = message.get("headers", ())
    pairs = list(given)
    names = {name for name, _ in pairs}
    message["headers"] = pairs + [pair for pair in headers if pair[0] not in names]


def set_header(message: Message, name: bytes, value: bytes) -> None:
    """Set a header in the start of a response. `name` must be in lower case."""
    given: Iterable[tuple[bytes, bytes]] = message.get("headers", ())
    message["headers"] = headers = [pair for pair in given if pair[0] != name]
    headers.append((name, value))


def path_of(scope: Scope) -> str:
    """Return the path of a request within the application."""
    path: str = scope["path"]
    inner = path.removeprefix(scope.get("root_path", ""))
    # As Starlette: `/api-keys` is not below the root path `/api`.
    return inner if inner[:1] in ("", "/") else path


def is_health_path(scope: Scope) -> bool:
    """Return whether the request is for a health route."""
    return path_of(scope).startswith(HEALTH)


def current_route(scope: Scope) -> Any:
    """Return the route of a request, or None before routing. Its path includes all prefixes."""
    return scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")


def route_template(scope: Scope) -> str | None:
    """Return the declared path, such as `/posts/{post_id}`; None if no route matches."""
    # The path of the route in `scope["route"]` lacks the prefixes of `include_router`.
    path: str | None = getattr(current_route(scope), "path_format", None)
    return path


def may_have_body(route: Any) -> bool:
    """Return whether requests of a route may have a body."""
    return route.body_field is not None or not READING.issuperset(route.methods)
