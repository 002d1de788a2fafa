"""Values outside the range of their column are rejected by field, and numbers keep their digits."""

from decimal import Decimal
from typing import Any

import pytest
from httpx2 import AsyncClient

EVERYTHING = "/conformance/everything"
JSON = {"Content-Type": "application/json"}
LAST_MOMENT = "9999-12-31T23:59:59.999999-14:00"

OUT_OF_RANGE: list[tuple[str, Any]] = [
    ("small", 2**15),
    ("integer", -(2**31) - 1),
    ("big", 2**63),
    ("integers", [1, 2**31]),
    ("numbers", {"lower": 2**31, "upper": None}),
    ("number", "1e999999"),
    ("number", "-1e131072"),
    ("day", "2026-01-31T00:00:00"),
    ("decimals", ["1e999999"]),
    ("single", 3.5e38),
    ("single", 1e-46),
    ("varchar", "x" * 21),
    ("country", "abc"),
    ("moment", LAST_MOMENT),
    ("clock", "12:00:00+01:00"),
    ("clock_tz", "12:00:00"),
    ("clock_tz", "12:00:00+16:00"),
    ("address", "fe80::1%eth0/64"),
]


@pytest.mark.parametrize(("field", "value"), OUT_OF_RANGE)
async def test_value_outside_its_column_range_names_the_field(
    client: AsyncClient, field: str, value: Any
) -> None:
    row = {"code": 1, field: value}
    created = await client.post(EVERYTHING, json=row)
    batch = await client.put(f"{EVERYTHING}/batch", json={"rows": [{"code": 2}, row]})

    assert (created.status_code, batch.status_code) == (422, 422)
    # Validation names the list item; the check against the column names the list.
    (error,) = created.json()["errors"]
    assert error["field"].removesuffix(".0") == f"body.{field}"
    (error,) = batch.json()["errors"]
    assert error["field"].removesuffix(".0") == f"body.rows.1.{field}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("small", "32768"),
        ("integer", "2147483648"),
        ("number", "1e999999"),
        ("moment", "0001-01-01T00:00:00+14:00"),
        ("moment", LAST_MOMENT),
    ],
)
async def test_query_parameter_outside_its_column_range_names_the_field(
    client: AsyncClient, field: str, value: str
) -> None:
    response = await client.get(EVERYTHING, params={field: value})

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [f"query.{field}"]


async def test_duplicate_row_in_upsert_names_the_field(client: AsyncClient) -> None:
    rows = [{"code": 1}, {"code": 1}]
    response = await client.put(f"{EVERYTHING}/batch", json={"rows": rows})

    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error == {"field": "body.rows", "message": "must be unique in the request"}
    assert response.json()["detail"] == "code must be unique in the request."


@pytest.mark.parametrize(
    "number",
    [
        "1e-400",
        "1e131071",
        "123456789012345678901234567890.123456789",
        "0.1000000000000000055",
        "1E3",
    ],
)
async def test_decimal_keeps_all_digits_of_a_json_number(client: AsyncClient, number: str) -> None:
    body = f'{{"code": 1, "number": {number}, "decimals": [{number}]}}'
    response = await client.post(EVERYTHING, content=body, headers=JSON)

    assert response.status_code == 201, response.text
    found = response.json()
    assert {Decimal(found["number"]), *map(Decimal, found["decimals"])} == {Decimal(number)}


async def test_number_in_json_column_is_a_float(client: AsyncClient) -> None:
    body = '{"code": 1, "document": {"a": [0.1000000000000000055, 1e22]}}'
    response = await client.post(EVERYTHING, content=body, headers=JSON)

    assert response.json()["document"] == {"a": [0.1, 1e22]}
