"""Round trips to the database per endpoint, including `BEGIN` and `COMMIT`."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import URL

from app.main import create_app
from tests.conformance.support.tcp_proxy import Break, TcpProxy, tcp_proxy
from tests.example.factories import make_post, make_tag
from tests.support.app import client_of, running
from tests.support.database import settings_with


@dataclass(frozen=True)
class ServiceWithProxy:
    """The service behind a proxy that counts messages, and ids of existing rows."""

    client: AsyncClient
    proxy: TcpProxy
    keys: dict[str, Any]

    async def round_trips(self, method: str, path: str, *bodies: Any) -> int:
        """Return the round trips of the last request; earlier ones connect and prepare."""
        for body in bodies:
            self.proxy.break_at(0, Break.BEFORE)
            response = await self.client.request(method, path.format(**self.keys), json=body)
            assert response.is_success, response.text
        # The driver sends a message only after the response to the previous one.
        return self.proxy.messages


@pytest.fixture
async def service(unpooled_url: URL) -> AsyncGenerator[ServiceWithProxy]:
    """The service with its own connections, and twenty posts with tags."""
    async with tcp_proxy(unpooled_url) as proxy:
        settings = settings_with(proxy.url, pooler="none", pool_pre_ping=False)
        async with running(create_app(settings)) as app, client_of(app) as client:
            async with app.state.database.sessions() as session:
                posts = [
                    await make_post(session, tags=[await make_tag(session)]) for _ in range(20)
                ]
            post = posts[0]
            keys = {"post": post.id, "tag": post.tags[0].id, "user": post.author_id}
            yield ServiceWithProxy(client, proxy, keys)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/tags/{tag}", 1),
        # Including authors and tags.
        ("/posts/newest", 1),
        ("/users/{user}", 1),
        # Including the author and tags.
        ("/posts/{post}", 1),
        # The total, and the posts with their authors and tags.
        ("/posts", 2),
        ("/posts/feed", 1),
    ],
)
async def test_read_sends_only_its_statements(
    service: ServiceWithProxy, path: str, expected: int
) -> None:
    assert await service.round_trips("GET", path, None, None) == expected


async def test_single_row_insert_needs_no_explicit_transaction(service: ServiceWithProxy) -> None:
    names = [{"name": "python"}, {"name": "sql"}]
    assert await service.round_trips("POST", "/tags", *names) == 1
    people = [
        {"email": f"{name}@example.org", "name": name, "password": "analytical engine"}
        for name in ("ada", "mary")
    ]
    assert await service.round_trips("POST", "/users", *people) == 3


async def test_update_does_not_read_the_row_first(service: ServiceWithProxy) -> None:
    names = [{"name": "Ada"}, {"name": "Mary"}]
    assert await service.round_trips("PATCH", "/users/{user}", *names) == 1
