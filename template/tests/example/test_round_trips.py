"""How often an endpoint goes to the server and back, `BEGIN` and `COMMIT` included."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import URL

from app.kit.db.session import Database
from app.main import create_app
from tests.example.factories import make_post, make_tag
from tests.rig.app import client_of, running
from tests.rig.database import settings_with
from tests.rig.statements import counting_round_trips


@pytest.fixture
async def served(direct_url: URL) -> AsyncGenerator[FastAPI]:
    """The service with connections of its own, and twenty posts with tags."""
    settings = settings_with(direct_url, pooler="none", pool_pre_ping=False)
    async with running(create_app(settings)) as app:
        async with app.state.database.sessions() as session:
            for _ in range(20):
                await make_post(session, tags=[await make_tag(session)])
        yield app


@pytest.fixture
async def ids(served: FastAPI) -> dict[str, Any]:
    """A tag and a post that are there."""
    async with client_of(served) as client:
        post = (await client.get("/posts", params={"limit": 1})).json()["items"][0]
    return {"post": post["id"], "tag": post["tags"][0]["id"]}


@pytest.mark.parametrize(
    ("path", "round_trips"),
    [
        ("/tags/{tag}", 1),
        # Authors and tags included.
        ("/posts/newest", 1),
        # The post with its author, and its tags.
        ("/posts/{post}", 2),
        # The total, the posts with their authors, and their tags.
        ("/posts", 3),
    ],
)
async def test_a_read_sends_its_statements_and_nothing_else(
    served: FastAPI, ids: dict[str, Any], path: str, round_trips: int
) -> None:
    database: Database = served.state.database
    async with client_of(served) as client:
        with counting_round_trips(database.reading_engine) as sent:
            response = await client.get(path.format(**ids))
    assert response.status_code == 200
    sent.assert_count(round_trips)


async def test_a_write_is_one_statement_in_its_transaction(served: FastAPI) -> None:
    database: Database = served.state.database
    async with client_of(served) as client:
        with counting_round_trips(database.engine) as sent:
            assert (await client.post("/tags", json={"name": "python"})).status_code == 201
    assert [sql.split()[0] for sql in sorted(sent)] == ["BEGIN;", "COMMIT;", "INSERT"]
