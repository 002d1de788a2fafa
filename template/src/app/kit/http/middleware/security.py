"""Security headers of responses, CORS and trusted hosts.

The headers follow OWASP's recommendations for APIs. They are constant, so no library is needed.
"""

import re
from http import HTTPStatus

from starlette.datastructures import URL
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.kit.errors.handlers import response_from_problem
from app.kit.errors.problems import Problem
from app.kit.http.asgi import Headers, header, is_health_path, set_header
from app.kit.http.settings import ANY, HttpSettings

# Responses are data: a browser that displays one as a page must not load anything.
_DATA = b"default-src 'none'; frame-ancestors 'none'"


class UntrustedHost(Problem):
    """The `Host` header of the request is not in HTTP_HOSTS."""

    status = HTTPStatus.BAD_REQUEST


def make_location_relative(message: Message, scope: Scope) -> None:
    """Remove scheme and host from the `Location` header, because a client can forge them."""
    if location := header(message, b"location"):
        url = URL(scope=scope)
        own = f"{url.scheme}://{url.netloc}/"
        if location.startswith(own):
            # A path with two leading slashes would be read as a host.
            path = "/" + location.removeprefix(own).lstrip("/")
            set_header(message, b"location", path.encode("latin-1"))


def security_headers(settings: HttpSettings) -> Headers:
    """Return the headers of every response that does not set them itself."""
    headers = [
        (b"content-security-policy", _DATA),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-store"),
    ]
    if settings.hsts:
        headers.append((b"strict-transport-security", b"max-age=%d" % settings.hsts))
    return tuple(headers)


class TrustedHostsMiddleware:
    """Rejects requests for other hosts. Health routes accept any, as probes use an IP address."""

    def __init__(self, app: ASGIApp, settings: HttpSettings) -> None:
        self.app = app
        hosts = (re.escape(host).replace(r"\*", r"[\w.-]*") for host in settings.hosts)
        self.hosts = re.compile(rf"({'|'.join(hosts)})(:\d+)?", re.ASCII | re.IGNORECASE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        if (
            scope["type"] == "lifespan"
            or self.hosts.fullmatch(header(scope, b"host"))
            or is_health_path(scope)
        ):
            await self.app(scope, receive, send)
        else:
            problem = UntrustedHost("The service does not accept requests for this host.")
            await response_from_problem(problem)(scope, receive, send)


def add_security_middleware(app: ASGIApp, settings: HttpSettings) -> ASGIApp:
    """Add the middleware for hosts and origins, if they are configured."""
    if settings.origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.origins,
            allow_credentials=settings.credentials,
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Cache-Control",
                "Idempotency-Key",
                "If-Match",
                "If-None-Match",
                "Last-Event-ID",
                "X-Request-ID",
            ],
            expose_headers=[
                "ETag",
                "Idempotent-Replayed",
                "Location",
                "Retry-After",
                "X-Request-ID",
            ],
        )
    if settings.hosts and ANY not in settings.hosts:
        app = TrustedHostsMiddleware(app, settings)
    return app
