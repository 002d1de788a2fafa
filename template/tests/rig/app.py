"""The service within the process of the tests."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from starlette.routing import Route


@asynccontextmanager
async def running(app: FastAPI) -> AsyncGenerator[FastAPI]:
    """The service between its start-up and its shut-down."""
    async with app.router.lifespan_context(app):
        yield app


def with_prepared_routes(app: FastAPI, prepared: FastAPI) -> FastAPI:
    """The application with what another one, of the same routers, has already made of them.

    FastAPI prepares all routes with the first request, which takes longer than most tests.
    """
    app.router.routes[:] = [
        # Its own are those that tell of the application itself: its document, and how to read it.
        own if isinstance(own, Route) else other
        for own, other in zip(app.router.routes, prepared.router.routes, strict=True)
    ]
    # The routes look there for what replaces a dependency.
    prepared.dependency_overrides = app.dependency_overrides
    return app


def client_of(app: FastAPI) -> AsyncClient:
    """A client that sees what a client over the network would: an answer, never an exception."""
    return AsyncClient(
        transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://test"
    )
