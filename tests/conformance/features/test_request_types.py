"""JSON bodies are validated strictly, datetimes need a UTC offset, and text must be storable."""

from typing import Any

import pytest
from httpx2 import AsyncClient

NAIVE = "2026-03-29T02:30:00"
AWARE = "2026-03-29T02:30:00+02:00"
JSON = {"Content-Type": "application/json"}


async def errors_of(client: AsyncClient, path: str, body: Any) -> list[str]:
    """Send an invalid body; return the fields that the response names."""
    response = await client.post(f"/conformance/requests/{path}", json=body)
    assert response.status_code == 422, response.text
    return [error["field"] for error in response.json()["errors"]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("integer", value) for value in (False, "7", 1.0, None, [1])],
        *[("boolean", value) for value in (0, 1, "yes", "true", 1.0)],
        *[("number", value) for value in ("1.5", True)],
        *[("text", value) for value in (1, True, ["a"])],
        *[("amount", value) for value in (True, "NaN", "Infinity", [1])],
        *[("at", value) for value in (0, 1.5, "0", "1700000000", True, NAIVE)],
        *[("local", value) for value in (0, "0")],
        *[("day", value) for value in (0, "0", "86400", True)],
        *[("length", value) for value in (1, 1.5, True)],
        *[("key", value) for value in (1, True)],
        *[("level", value) for value in (True, "1", 1.0)],
        *[("color", value) for value in (1, True)],
        *[("choice", value) for value in (True, 1.0, "1")],
        *[("secret", value) for value in (1, True)],
        *[("email", value) for value in (1, True)],
        *[("address", value) for value in (1, True)],
    ],
)
async def test_json_value_of_another_type_is_invalid(
    client: AsyncClient, field: str, value: Any
) -> None:
    assert await errors_of(client, "everything", {field: value}) == [f"body.{field}"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("integer", 7),
        ("boolean", True),
        ("number", 1.5),
        ("number", 2),
        ("amount", "1.50"),
        ("amount", 2),
        ("at", AWARE),
        ("local", NAIVE),
        ("day", "2026-03-29"),
        ("length", "PT1H"),
        ("key", "01987f3e-6b5d-7c3a-b0f2-d4c6e8a01357"),
        ("level", 2),
        ("color", "red"),
        ("choice", 1),
        ("choice", "a"),
        ("secret", "s3cret"),
        ("secret", "1234"),
        ("email", "ada@example.org"),
        ("address", "127.0.0.1"),
        ("either", "1"),
        ("either", 1),
        ("moment_or_number", 0),
        ("moment_or_number", AWARE),
        ("slot", {"starts_at": AWARE, "length": "PT1H"}),
        ("counts", {"1": 2}),
        ("counts_by_time", {AWARE: 2}),
        ("embedded", '{"a": "\\\\u0000"}'),
        ("pair", [1, AWARE]),
        ("numbers", [1]),
        ("size", {"width": 1}),
        ("anything", [1, {"a": None}]),
        ("text", "\U0001f600"),
    ],
)
async def test_json_value_of_its_type_is_accepted(
    client: AsyncClient, field: str, value: Any
) -> None:
    response = await client.post("/conformance/requests/everything", json={field: value})

    assert response.status_code == 200, response.text
    assert response.json().keys() == {field}


async def test_nested_values_are_strict(client: AsyncClient) -> None:
    body = {
        "slot": {"starts_at": NAIVE},
        "slots": [{"starts_at": AWARE}, {"starts_at": NAIVE}, {"starts_at": AWARE, "length": 1}],
        "slots_by_name": {"a": {"starts_at": NAIVE}},
        "counts": {"1": "2"},
        "pair": [True, NAIVE],
        "numbers": ["1"],
        "size": {"width": "1"},
        "children": [{"at": NAIVE}, {"children": [{"integer": "7"}]}],
    }

    assert await errors_of(client, "everything", body) == [
        "body.slot.starts_at",
        "body.slots.1.starts_at",
        "body.slots.2.length",
        "body.slots_by_name.a.starts_at",
        "body.counts.1",
        "body.pair.0",
        "body.pair.1",
        "body.numbers.0",
        "body.size.width",
        "body.children.0.at",
        "body.children.1.children.0.integer",
    ]


async def test_every_kind_of_body_is_strict(client: AsyncClient) -> None:
    assert await errors_of(client, "integers", [1, "2", True]) == ["body.1", "body.2"]
    assert await errors_of(client, "integer", "7") == ["body"]
    rows = [{"integer": 1}, {"integer": "1"}, {"at": NAIVE}]
    assert await errors_of(client, "batch", {"rows": rows}) == [
        "body.rows.1.integer",
        "body.rows.2.at",
    ]
    parts = {"slot": {"starts_at": NAIVE}, "count": "1", "by_name": {"a": NAIVE}}
    assert await errors_of(client, "parts", parts) == [
        "body.slot.starts_at",
        "body.count",
        "body.by_name.a",
    ]
    response = await client.post("/conformance/plain", json={"integer": "7"})
    assert response.status_code == 422


async def test_body_of_dependency_is_strict(committing_client: AsyncClient) -> None:
    client = committing_client
    assert await errors_of(client, "dependency", {"number": "7"}) == ["body.number"]

    response = await client.post("/conformance/requests/dependency", json={"number": 7})

    assert response.json() == [7, {"number": 7}]


async def test_parameters_are_lenient_but_require_an_offset(client: AsyncClient) -> None:
    path = "/conformance/requests/parameters"
    accepted = await client.get(f"{path}/{AWARE}", params={"count": "7", "is_open": "yes"})
    assert accepted.json()[2:4] == [7, True]

    # A number would be a Unix timestamp.
    response = await client.get(
        f"{path}/20261129",
        params={"times": [AWARE, NAIVE], "text": "a\x00b"},
        headers={"X-Since": NAIVE},
    )
    assert {error["field"] for error in response.json()["errors"]} == {
        "path.at",
        "query.times.1",
        "query.text",
        "header.x-since",
    }
    period = await client.get("/conformance/requests/period", params={"since": NAIVE, "until": "0"})
    invalid = [error["field"] for error in period.json()["errors"]]
    assert invalid == ["query.since", "query.until"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (rb'{"text": "a\u0000b"}', "body.text"),
        (rb'{"text": "\ud800"}', "body.text"),
        (rb'{"secret": "\udfff"}', "body.secret"),
        (rb'{"anything": {"a": ["\u0000"]}}', "body.anything.a.0"),
        (rb'{"document": {"a\u0000": 1}}', "body.document"),
        (rb'{"document": {"\ud800": 1}}', "body.document"),
        (rb'{"document": {"a": 1e999}}', "body.document.a"),
        (rb'{"anything": [{"a": -1e999}]}', "body.anything"),
        (rb'{"number": 1e999}', "body.number"),
        (rb'{"number": NaN}', "body.number"),
        (rb'{"anything": [Infinity]}', "body.anything.0"),
        (b'{"integer": %s}' % (b"9" * 5000), "body.integer"),
        (rb'{"embedded": "[\"\\u0000\"]"}', "body.embedded"),
        (rb'{"embedded": "NaN"}', "body.embedded"),
        (rb'{"counts_by_time": {"0": 1}}', "body.counts_by_time.0.[key]"),
    ],
)
async def test_unstorable_text_and_numbers_name_their_field(
    client: AsyncClient, body: bytes, field: str
) -> None:
    response = await client.post("/conformance/requests/everything", content=body, headers=JSON)

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
