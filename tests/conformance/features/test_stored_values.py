"""Errors about values that the database rejects name the field in the request."""

from typing import Any

import pytest
from httpx2 import AsyncClient

ROOM = {"building": "A", "number": 1, "floor": 1}


@pytest.mark.parametrize("changes", [{"number": 2**31}, {"floor": 2**15}, {"number": -(2**70)}])
async def test_integer_outside_its_column_range_names_the_field(
    client: AsyncClient, changes: dict[str, Any]
) -> None:
    response = await client.post("/conformance/rooms", json=ROOM | changes)

    assert response.status_code == 422
    fields = [error["field"] for error in response.json()["errors"]]
    assert fields == [f"body.{name}" for name in changes]


async def test_decimal_outside_its_column_range_is_invalid(client: AsyncClient) -> None:
    for price in ("1e999999", "10000000"):
        response = await client.post("/conformance/rooms", json=ROOM | {"price": price})
        assert response.status_code == 422, response.text


async def test_unique_violation_names_one_or_several_fields(committing_client: AsyncClient) -> None:
    client = committing_client
    assert (await client.post("/conformance/rooms", json=ROOM)).status_code == 201

    one = await client.post("/conformance/rooms", json=ROOM | {"number": 2})
    pair = await client.post("/conformance/rooms", json=ROOM | {"floor": 2})

    assert [error["field"] for error in one.json()["errors"]] == ["body.floor"]
    (error,) = pair.json()["errors"]
    assert pair.status_code == 409
    assert error["field"] == "body"
    assert "building and number" in error["message"]


async def test_unique_violation_in_a_batch_names_the_row(committing_client: AsyncClient) -> None:
    client = committing_client
    assert (await client.post("/conformance/rooms", json=ROOM)).status_code == 201
    rows = [ROOM | {"number": number, "floor": number} for number in (3, 2, 4)]

    stored = await client.post("/conformance/rooms/batch", json={"rows": [*rows, ROOM]})
    rows.append(rows[1] | {"number": 5})
    repeated = await client.post("/conformance/rooms/batch", json={"rows": rows})

    assert stored.status_code == repeated.status_code == 409
    assert [error["field"] for error in repeated.json()["errors"]] == ["body.rows.3.floor"]


async def test_unique_violation_of_a_field_missing_in_the_request(
    committing_client: AsyncClient,
) -> None:
    client = committing_client
    rooms = [{"building": "A", "number": number} for number in (1, 2)]
    responses = [await client.post("/conformance/rooms", json=room) for room in rooms]

    assert [each.status_code for each in responses] == [201, 409]
    assert [error["field"] for error in responses[1].json()["errors"]] == ["floor"]
