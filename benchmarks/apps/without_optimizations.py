"""Application factories of the service without one of its optimizations."""

from fastapi import FastAPI, Request, Response
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.types import Receive, Scope, Send

from app import main
from app.kit.http.routing import IndexedRouter


def with_base_http_middleware() -> FastAPI:
    """Create the app with an additional `BaseHTTPMiddleware`, which does nothing."""

    async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    app = main.create_app()
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    return app


def with_default_garbage_collector() -> FastAPI:
    """Create the app without the tuning of the garbage collector."""
    main.freeze_gc = lambda: None
    return main.create_app()


def with_fastapi_router() -> FastAPI:
    """Create the app with FastAPI's router, which matches routes one by one."""
    app = main.create_app()
    app.router.__class__ = _FastApiRouter
    return app


class _FastApiRouter(IndexedRouter):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
