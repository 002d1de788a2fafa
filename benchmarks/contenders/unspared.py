"""The service without what holds for every request: factories of applications."""

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint

from app import main


def with_base_http_middleware() -> FastAPI:
    """With one middleware of the kind that is easiest to write, which does nothing."""

    async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    app = main.create_app()
    app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    return app


def with_pythons_garbage_collector() -> FastAPI:
    """With the collector as Python has it."""
    main.spare_what_stays = lambda: None
    return main.create_app()


def with_fastapis_router() -> FastAPI:
    """With the router of FastAPI, which compares the paths of all routes in turn."""
    app = main.create_app()
    app.router.__class__ = APIRouter
    return app
