"""An identity provider with faults, and a service that accepts its tokens."""

import asyncio
import json
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, WebSocket
from httpx2 import ASGITransport, AsyncClient
from pydantic import BaseModel

from app.kit.auth.caller import CallerDep, current_caller, public, requires
from app.kit.auth.settings import AuthSettings
from app.kit.http.application import Application
from app.kit.http.authentication import Authentication
from oidc_issuer import Issuer

AUDIENCE = "invoices"


@dataclass
class Provider:
    """Serves the configuration and the keys of an issuer. Tests add faults."""

    issuer: Issuer
    # Responses in place of the issuer's, by path: the status and the body.
    replaced: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])
    delay: float = 0
    requests: list[str] = field(default_factory=list[str])

    was_called: asyncio.Event = field(default_factory=asyncio.Event)
    connections: list[StreamWriter] = field(default_factory=list[StreamWriter])

    @property
    def key_requests(self) -> int:
        """The number of requests for the keys."""
        return self.requests.count("/jwks.json")

    def token(self, scope: str = "", **options: Any) -> str:
        """Return a token of the subject `alice`."""
        return self.issuer.token("alice", scope, **options)

    def settings(self, **settings: Any) -> AuthSettings:
        """Return settings for this provider, with values outside of their limits as well."""
        usual = AuthSettings(issuer=self.issuer.url, audience=(AUDIENCE,))
        return usual.model_copy(update=settings)

    async def respond(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Respond to one request."""
        self.connections.append(writer)
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        except IncompleteReadError:  # The client closed the connection.
            return
        self.requests.append(path)
        self.was_called.set()
        await asyncio.sleep(self.delay)
        found = self.issuer.jwks() if path == "/jwks.json" else self.issuer.configuration()
        status, body = self.replaced.get(path, (200, json.dumps(found).encode()))
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Length: {len(body)}\r\n"
            "Location: /jwks.json\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        writer.close()

    async def close(self) -> None:
        """Close the connections that clients left open."""
        for writer in self.connections:
            writer.close()
        closing = (writer.wait_closed() for writer in self.connections)
        await asyncio.gather(*closing, return_exceptions=True)


@asynccontextmanager
async def serving() -> AsyncGenerator[Provider]:
    """Run a provider in this event loop."""
    provider = Provider(Issuer("", AUDIENCE))
    server = await asyncio.start_server(provider.respond, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        provider.issuer.url = f"http://127.0.0.1:{port}"
        yield provider
    await provider.close()


class Invoice(BaseModel):
    """A request body."""

    amount: int


def service(settings: AuthSettings) -> FastAPI:
    """Return an application with protected and public routes. It has no database."""
    router = APIRouter(prefix="/invoices", tags=["invoices"])
    _add_routes(router)
    open_router = APIRouter(prefix="/open", tags=["open"], dependencies=[public])

    @open_router.get("/all")
    async def all_public() -> str:
        """Return the caller of a public router."""
        return _subject()

    @open_router.get("/caller")
    async def with_caller(caller: CallerDep) -> str:
        """Return the caller, although the router is public."""
        return caller.subject

    app = Application(authentication=Authentication(settings))
    app.include_router(router)
    app.include_router(open_router)
    return app


def _add_routes(router: APIRouter) -> None:
    @router.get("/subject")
    async def subject(caller: CallerDep) -> str:
        return f"{caller.subject} {sorted(caller.scopes)} {current_caller() is caller}"

    @router.get("/plain")
    def plain() -> str:
        return _subject()

    @router.get("/public", dependencies=[public])
    async def one_public() -> str:
        return _subject()

    @router.post("", dependencies=[requires("invoices:write")])
    async def write(invoice: Invoice) -> int:
        return invoice.amount

    @router.websocket("/socket")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(_subject())
        await socket.close()


def _subject() -> str:
    caller = current_caller()
    return caller.subject if caller else "nobody"


def client_with(app: FastAPI, token: str = "") -> AsyncClient:
    """Return a client that sends a token."""
    return AsyncClient(
        transport=ASGITransport(app, raise_app_exceptions=False),
        base_url="http://test",
        headers={b"Authorization": f"Bearer {token}".encode()} if token else {},
    )
