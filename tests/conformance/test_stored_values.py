"""Values that the database rejects are named where the client sent them."""

from typing import Any

import pytest
from httpx2 import AsyncClient

ROOM = {"building": "A", "number": 1, "floor": 1}


@pytest.mark.parametrize("changes", [{"number": 2**31}, {"floor": 2**15}, {"number": -(2**70)}])
async def test_integer_beyond_its_column_names_the_field(
    client: AsyncClient, changes: dict[str, Any]
) -> None:
    response = await client.post("/conformance/rooms", json=ROOM | changes)

    assert response.status_code == 422
    fields = [error["field"] for error in response.json()["errors"]]
    assert fields == [f"body.{name}" for name in changes]


async def test_decimal_beyond_its_column_is_invalid(client: AsyncClient) -> None:
    for price in ("1e999999", "10000000"):
        response = await client.post("/conformance/rooms", json=ROOM | {"price": price})
        assert response.status_code == 422, response.text


async def test_unique_violation_names_the_field_or_the_pair(committing_client: AsyncClient) -> None:
    client = committing_client
    assert (await client.post("/conformance/rooms", json=ROOM)).status_code == 201

    one = await client.post("/conformance/rooms", json=ROOM | {"number": 2})
    pair = await client.post("/conformance/rooms", json=ROOM | {"floor": 2})

    assert [error["field"] for error in one.json()["errors"]] == ["body.floor"]
    (error,) = pair.json()["errors"]
    assert pair.status_code == 409
    assert error["field"] == "body"
    assert "building and number" in error["message"]
