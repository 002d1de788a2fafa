"""The caller in PostgreSQL and in logs."""

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.kit.auth.caller import Caller, Claims, no_caller, set_current_caller
from app.kit.db.session import Database
from tests.conformance.conftest import ReadLog
from tests.example.factories import as_json, make_user
from tests.support.auth import bearer

# An audit trigger, as a team would write it.
AUDIT = [
    "CREATE TABLE seen (number bigint GENERATED ALWAYS AS IDENTITY, place text, caller text)",
    """
    CREATE FUNCTION record_caller() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen (place, caller)
        VALUES (TG_TABLE_NAME, nullif(current_setting('app.caller', true), ''));
        RETURN NEW;
    END $$
    """,
    *(
        f"CREATE TRIGGER record_caller BEFORE INSERT OR UPDATE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION record_caller()"
        for table in ("tags", "posts")
    ),
]
# Every character that could end or change an SQL literal.
HOSTILE = "o'brien\\'; DROP TABLE tags; -- \\ $1 é"


@pytest.fixture
async def database(own_app: FastAPI) -> Database:
    """A database with an audit trigger."""
    found: Database = own_app.state.database
    async with found.transaction() as session:
        for statement in AUDIT:
            await session.execute(text(statement))
    return found


async def seen(database: Database) -> list[tuple[str, str | None]]:
    async with database.reading() as session:
        rows = await session.execute(text("SELECT place, caller FROM seen ORDER BY number"))
        return [(place, caller) for place, caller in rows]


@pytest.mark.parametrize("subject", ["alice", HOSTILE])
async def test_trigger_sees_caller_in_each_kind_of_write(
    database: Database, committing_client: AsyncClient, subject: str
) -> None:
    caller = bearer(subject, "posts:write", "tags:write")
    client = committing_client
    response = await client.post("/tags", json={"name": "a"}, headers=caller)
    path = f"/tags/{response.json()['id']}"
    assert (await client.patch(path, json={"name": "b"}, headers=caller)).status_code == 200
    async with database.transaction() as session:
        author = await make_user(session)
    new = {"author_id": as_json(author.id), "title": "Notes"}
    assert (await client.post("/posts", json=new, headers=caller)).status_code == 201
    assert await seen(database) == [("tags", subject), ("tags", subject), ("posts", subject)]


async def test_setting_ends_with_the_transaction(
    database: Database, committing_client: AsyncClient
) -> None:
    caller = bearer("alice", "tags:write")
    await committing_client.post("/tags", json={"name": "a"}, headers=caller)
    async with database.transaction() as session:
        await session.execute(text("INSERT INTO tags (id, name) SELECT id, 'b' FROM tags LIMIT 0"))
        await session.execute(text("UPDATE tags SET name = 'c'"))
    assert await seen(database) == [("tags", "alice"), ("tags", None)]


def job_caller(subject: str) -> Caller:
    claims = Claims(iss="https://login.example.org", aud="orders", sub="alice", exp=0)
    return Caller(subject, frozenset(), claims, subject)


async def test_job_writes_for_a_caller(database: Database) -> None:
    with no_caller():
        set_current_caller(job_caller("alice"))
        async with database.transaction() as session:
            caller = "INSERT INTO seen (caller) VALUES (current_setting('app.caller'))"
            await session.execute(text(caller))
    assert [caller for _, caller in await seen(database)] == ["alice"]


async def test_invalid_subject_does_not_break_connections(database: Database) -> None:
    with no_caller():
        set_current_caller(job_caller("a\0b"))
        with pytest.raises(DBAPIError):
            async with database.transaction() as session:
                await session.execute(text("SELECT 1"))
    async with database.transaction() as session:
        await session.execute(text("SELECT 1"))


async def test_log_has_the_subject_and_never_the_token(
    committing_client: AsyncClient, read_log: ReadLog
) -> None:
    caller = bearer("alice", "tags:write")
    for name in ("a", "a"):
        await committing_client.post("/tags", json={"name": name}, headers=caller)
    events = read_log()
    assert {each["subject"] for each in events if each["event"] == "request"} == {"alice"}
    assert caller["Authorization"].removeprefix("Bearer ") not in str(events)
