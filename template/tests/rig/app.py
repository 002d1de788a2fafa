"""The service within the process of the tests."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient


@asynccontextmanager
async def running(app: FastAPI) -> AsyncGenerator[FastAPI]:
    """The service between its start-up and its shut-down."""
    async with app.router.lifespan_context(app):
        yield app


def client_of(app: FastAPI) -> AsyncClient:
    """A client that sees what a client over the network would: an answer, never an exception."""
    return AsyncClient(
        transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://test"
    )
