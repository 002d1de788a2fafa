"""Deprecated names of the kit work until a release removes them, and warn."""

# pyright: reportDeprecated=false

import pytest
from fastapi import FastAPI, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.idempotency import IdempotencyDep
from app.example.users.models import User
from app.example.users.repository import USER_OUT, UserRepository
from app.kit.errors.problems import NotFound
from app.kit.http.etag import EntityTag
from app.kit.queries.sorting import order_by
from tests.example.factories import make_user
from tests.support.app import client_of


async def test_deprecated_do_runs_the_request_once(own_app: FastAPI) -> None:
    runs: list[str] = []

    async def add_run(_session: AsyncSession) -> int:
        runs.append("run")
        return len(runs)

    @own_app.post("/kit/runs", response_model=int)
    async def create_run(idempotency: IdempotencyDep) -> Response:
        with pytest.deprecated_call(match="use run; it is removed in"):
            return await idempotency.do(add_run)

    async with client_of(own_app) as client:
        responses = [
            await client.post("/kit/runs", headers={"Idempotency-Key": "k"}) for _ in range(2)
        ]

    assert [response.json() for response in responses] == [1, 1]


async def test_deprecated_change_updates_a_row_by_id(session: AsyncSession) -> None:
    users, user = UserRepository(session), await make_user(session, name="Ada")
    for value, name in [("Bo", "Bo"), (User.name + "!", "Bo!"), (User.email, user.email)]:
        with pytest.deprecated_call(match=r"use View\.update, .*; it is removed in"):
            assert (await users.change(user.id, {"name": value}, *USER_OUT)).name == name
    await users.delete(user.id)
    with pytest.deprecated_call(), pytest.raises(NotFound):
        await users.change(user.id, {"name": "Ada"})


def test_deprecated_show_sets_the_header() -> None:
    class Versioned(BaseModel):
        version: int = 3

    response, row = Response(), Versioned()
    with pytest.deprecated_call(match="use set_header; it is removed in"):
        assert EntityTag(response, None).show(row) is row
    assert response.headers["etag"] == '"3"'


def test_deprecated_first_argument_of_order_by_is_the_tiebreaker() -> None:
    with pytest.deprecated_call(match="pass the key as tiebreaker"):
        order = order_by(User.id, User.name.asc())
    assert order == order_by(User.name.asc(), tiebreaker=User.id)
