"""A request runs through a limited number of files, from its endpoint to the database."""

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from httpx2 import AsyncClient

import app
from app.example.posts.repository import POSTS
from app.kit.queries.compiled.statement_cache import StatementCache

SOURCE = Path(app.__file__).parent
# Not counted: what every request shares: HTTP, sign-in, connections and logging.
COMMON = (
    "kit/auth/",
    "kit/db/connections/",
    "kit/db/current_user.py",
    "kit/http/",
    "kit/observability/logging.py",
    "kit/observability/metrics.py",
    "kit/observability/tracing.py",
    "main.py",
)
MAX_FILES = 12


class Trace:
    """Record the functions of `app` that run, by file."""

    def __init__(self) -> None:
        self.files: dict[str, set[str]] = {}

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(SOURCE):
            name = path.relative_to(SOURCE).as_posix()
            if not name.startswith(COMMON):
                self.files.setdefault(name, set()).add(frame.f_code.co_name)


async def run(client: AsyncClient, method: str, path: str, body: Any = None) -> Any:
    """Send a request, and return the JSON of its response."""
    headers = {"Idempotency-Key": "1"} if path == "/orders" else {}
    response = await client.request(method, path, json=body, headers=headers)
    assert response.is_success, response.text
    return response.json()


async def prepare(client: AsyncClient) -> dict[str, Any]:
    """Create the rows that the requests refer to; return the request bodies by path."""
    user = {"email": "ada@example.org", "name": "Ada", "password": "analytical engine"}
    author = (await run(client, "POST", "/users", user))["id"]
    await run(client, "POST", "/tags", {"name": "engines"})
    category = await run(client, "POST", "/categories", {"name": "Tools", "slug": "tools"})
    product = {
        "category_id": category["id"],
        "sku": "A-1",
        "slug": "a",
        "name": "Hammer",
        "price_cents": 100,
        "stock": 10,
        "status": "active",
    }
    created = await run(client, "POST", "/products", product)
    post = {
        "author_id": author,
        "title": "Notes",
        "tags": ["engines"],
        "published_at": "2026-01-01T00:00:00Z",
    }
    await run(client, "POST", "/posts", post)
    order = {"user_id": author, "lines": [{"product_id": created["id"], "quantity": 1}]}
    return {"/posts": post, "/orders": order}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/posts"), ("GET", "/posts/feed?tag=engines"), ("POST", "/orders")],
)
async def test_request_runs_through_few_files(
    method: str,
    path: str,
    committing_client: AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bodies = await prepare(committing_client)
    # An empty cache, because the first request of a process compiles its statements.
    monkeypatch.setattr(POSTS, "_statements", StatementCache())
    trace = Trace()

    sys.setprofile(trace)
    try:
        await run(committing_client, method, path, bodies.get(path))
    finally:
        sys.setprofile(None)

    listed = "\n".join(f"{name}: {', '.join(run)}" for name, run in sorted(trace.files.items()))
    assert len(trace.files) <= MAX_FILES, f"{len(trace.files)} files:\n{listed}"
