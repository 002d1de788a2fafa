"""How often an endpoint goes to the server and back, `BEGIN` and `COMMIT` included."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import URL

from app.main import create_app
from tests.conformance.support.line import Break, Line, line_to
from tests.example.factories import make_post, make_tag
from tests.rig.app import client_of, running
from tests.rig.database import settings_with


@dataclass(frozen=True)
class Served:
    """The service, on a line that sees what is sent, and the keys of rows that are there."""

    client: AsyncClient
    line: Line
    keys: dict[str, Any]

    async def round_trips(self, method: str, path: str, *bodies: Any) -> int:
        """What the last of these requests takes; those before it connect and prepare."""
        for body in bodies:
            self.line.break_at(0, Break.BEFORE)
            answer = await self.client.request(method, path.format(**self.keys), json=body)
            assert answer.is_success, answer.text
        # The driver sends no message before the one before it was answered.
        return self.line.passed


@pytest.fixture
async def served(direct_url: URL) -> AsyncGenerator[Served]:
    """The service with connections of its own, and twenty posts with tags."""
    async with line_to(direct_url) as line:
        settings = settings_with(line.url, pooler="none", pool_pre_ping=False)
        async with running(create_app(settings)) as app, client_of(app) as client:
            async with app.state.database.sessions() as session:
                posts = [
                    await make_post(session, tags=[await make_tag(session)]) for _ in range(20)
                ]
            post = posts[0]
            keys = {"post": post.id, "tag": post.tags[0].id, "user": post.author_id}
            yield Served(client, line, keys)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/tags/{tag}", 1),
        # Authors and tags included.
        ("/posts/newest", 1),
        ("/users/{user}", 1),
        # The post with its author and tags.
        ("/posts/{post}", 1),
        # The total, and the posts with their authors and tags.
        ("/posts", 2),
        ("/posts/feed", 1),
    ],
)
async def test_a_read_sends_its_statements_and_nothing_else(
    served: Served, path: str, expected: int
) -> None:
    assert await served.round_trips("GET", path, None, None) == expected


async def test_a_row_is_created_in_one_or_within_begin_and_commit(served: Served) -> None:
    names = [{"name": "python"}, {"name": "sql"}]
    assert await served.round_trips("POST", "/tags", *names) == 1
    people = [
        {"email": f"{name}@example.org", "name": name, "password": "analytical engine"}
        for name in ("ada", "mary")
    ]
    assert await served.round_trips("POST", "/users", *people) == 3


async def test_a_row_is_changed_without_being_read(served: Served) -> None:
    names = [{"name": "Ada"}, {"name": "Mary"}]
    assert await served.round_trips("PATCH", "/users/{user}", *names) == 1
