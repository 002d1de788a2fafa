"""The FastAPI application class, with the kit's error responses, middleware and OpenAPI schema."""

from asyncio import to_thread
from collections.abc import Awaitable, Callable
from threading import Lock
from typing import Any, cast

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from app.kit.errors.handlers import add_exception_handlers
from app.kit.http.authentication import Authentication
from app.kit.http.docs_pages import mount_docs
from app.kit.http.middleware.conditional_requests import ConditionalRequestsMiddleware
from app.kit.http.middleware.request_limits import RequestLimitsMiddleware
from app.kit.http.middleware.responses import ResponseMiddleware
from app.kit.http.middleware.security import add_security_middleware, security_headers
from app.kit.http.openapi.document import (
    COMMON_RESPONSES,
    document_errors,
    document_headers,
    tag_descriptions,
)
from app.kit.http.openapi.schemas import correct_schemas, rename_schemas
from app.kit.http.routing import IndexedRouter, StrictRoute, make_strict
from app.kit.http.settings import HttpSettings
from app.kit.observability.metrics import Metrics


class Application(FastAPI):
    """A FastAPI application that returns every error as a problem document.

    At most `concurrency_limit` requests run at the same time. Others are queued.
    """

    def __init__(
        self,
        *,
        http: HttpSettings | None = None,
        concurrency_limit: int = 10,
        metrics: Metrics | None = None,
        authentication: Authentication | None = None,
        **options: Any,
    ) -> None:
        self.authentication = authentication
        required = authentication.dependencies if authentication else ()
        dependencies = [*required, *options.pop("dependencies", ())]
        # Starlette's default of 1000 files would make one request very slow.
        options.setdefault("form_limits", {"max_files": 100})
        super().__init__(
            # Generated clients use these ids as method names.
            generate_unique_id_function=lambda route: route.name,
            dependencies=dependencies,
            responses=COMMON_RESPONSES,
            **options,
        )
        add_exception_handlers(self)
        self.router.route_class = StrictRoute
        # FastAPI has no option for the class of the router.
        cast("Any", self.router).__class__ = IndexedRouter
        self.http = http or HttpSettings()
        self.concurrency_limit = concurrency_limit
        self.metrics = metrics
        self._lock = Lock()

    def include_router(self, router: APIRouter, **options: Any) -> None:
        """Include a router. Its routes validate strictly, see `StrictRoute`."""
        make_strict(router.routes)
        super().include_router(router, **options)

    def build_middleware_stack(self) -> ASGIApp:
        """Wrap the application in the kit's middleware, starting with the innermost."""
        app = super().build_middleware_stack()
        router = cast("IndexedRouter", self.router)
        app = ConditionalRequestsMiddleware(app, router.serves_head_by_get)
        app = limits = RequestLimitsMiddleware(
            app, self.http, self.concurrency_limit, router.resource_of
        )
        if self.metrics:
            self.metrics.watch(limits.limiter, self.concurrency_limit)
        # Outside the concurrency limit: CORS preflights and untrusted hosts take no slot.
        app = add_security_middleware(app, self.http)
        # Outside of these: it completes and logs every response.
        record_request = self.metrics.request if self.metrics else None
        app = ResponseMiddleware(app, record_request, security_headers(self.http))
        return self.authentication.wrap(app) if self.authentication else app

    def setup(self) -> None:
        """Add the OpenAPI and documentation routes."""
        super().setup()
        mount_docs(self)
        if self.authentication:
            self.authentication.install(self)
        for position, route in enumerate(self.routes):
            if isinstance(route, Route) and route.path == self.openapi_url:
                self.routes[position] = Route(route.path, self._openapi_of(route.endpoint))

    def _openapi_of(self, respond: Callable[[Request], Awaitable[Response]]) -> Any:
        async def openapi(request: Request) -> Response:
            # Building the schema is slow, so it must not block the event loop.
            await to_thread(self.openapi)
            return await respond(request)

        return openapi

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI schema, which is built once."""
        with self._lock:
            if self.openapi_schema is None:
                self.openapi_tags = self.openapi_tags or tag_descriptions(self)
                document = super().openapi()
                # FastAPI has cached it. If a step fails, the next call must start again.
                self.openapi_schema = None
                document_errors(document)
                if self.authentication:
                    self.authentication.describe(self, document)
                document_headers(document)
                rename_schemas(document)
                correct_schemas(document)
                self.openapi_schema = document
            return self.openapi_schema
