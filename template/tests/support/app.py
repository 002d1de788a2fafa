"""Run the service inside the test process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from starlette.routing import Route

from tests.support.authentication import client_headers


@asynccontextmanager
async def running(app: FastAPI) -> AsyncGenerator[FastAPI]:
    """Start the service, yield it and shut it down."""
    async with app.router.lifespan_context(app):
        yield app


def with_prepared_routes(app: FastAPI, prepared: FastAPI) -> FastAPI:
    """Replace the routes of `app` with those of `prepared`, an app with the same routers.

    FastAPI prepares all routes on the first request, which takes longer than most tests.
    """
    app.router.routes[:] = [
        # Keep the app's own plain routes: the OpenAPI schema and its documentation pages.
        own if isinstance(own, Route) else other
        for own, other in zip(app.router.routes, prepared.router.routes, strict=True)
    ]
    # The reused routes look for dependency overrides in this attribute.
    prepared.dependency_overrides = app.dependency_overrides
    return app


def client_of(app: FastAPI) -> AsyncClient:
    """Return a client that receives a 500 response for an unhandled exception, as over HTTP."""
    return AsyncClient(
        transport=ASGITransport(app, raise_app_exceptions=False),
        base_url="http://test",
        headers=client_headers(),
    )
