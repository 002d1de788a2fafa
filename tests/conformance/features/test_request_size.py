"""Processing a body within the size limit takes bounded time and memory."""

import json
import tracemalloc
from time import perf_counter

import pytest
from httpx2 import AsyncClient

JSON = {"Content-Type": "application/json"}
UNKNOWN = {f"unknown_{number}": 1 for number in range(400)}
BODIES = {
    "many keys": (json.dumps({f"k{n}": 1 for n in range(300_000)}), 413),
    "many rows": (json.dumps({"rows": [UNKNOWN] * 1000}), 413),
    "rows with unknown keys": (json.dumps({"rows": [UNKNOWN] * 100}), 422),
    "many unknown keys": (json.dumps({f"k{n}": 1 for n in range(49_000)}), 422),
    "many wrong values": (json.dumps({"counts": {str(n): "a" for n in range(49_000)}}), 422),
    "many empty rows": (json.dumps({"slots": [{}] * 24_000}), 422),
    "many wrong numbers": (json.dumps({"numbers": ["a"] * 49_000}), 422),
    "many values": ("[" + "1," * 2_400_000 + "1]", 413),
    "many objects": ("[" + "{}," * 1_600_000 + "{}]", 413),
    "deep": ("[" * 40_000, 422),
    "deep and complete": ("[" * 2000 + "]" * 2000, 422),
    "a long text of commas": (json.dumps({"text": ',"\\' * 700_000}), 200),
    "a long text in escapes": ('{"text": "' + "\\u00e9" * 800_000 + '"}', 200),
    "a long text with an emoji": (json.dumps({"text": "a" * 4_900_000 + "\U0001f600"}), 200),
    "a long number": ('{"integer": ' + "9" * 4_900_000 + "}", 422),
    "many long numbers": ('{"numbers": [' + ",".join(["9" * 4300] * 1100) + "]}", 422),
    "the same key": ("{" + '"text": "a",' * 300_000 + '"text": "b"}', 413),
}


@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=BODIES)
async def test_large_body_takes_bounded_time(client: AsyncClient, body: str, status: int) -> None:
    path = "batch" if '"rows"' in body[:10] else "everything"
    begin = perf_counter()

    response = await client.post(
        f"/conformance/requests/{path}", content=body.encode(), headers=JSON
    )

    assert response.status_code == status
    # 0.1 s on an idle machine; the machine may be busy.
    assert perf_counter() - begin < 2
    if status != 200:
        assert len(response.content) < 50_000
        assert len(response.json().get("errors", [])) <= 100


@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=BODIES)
async def test_large_body_takes_bounded_memory(client: AsyncClient, body: str, status: int) -> None:
    path, content = "batch" if '"rows"' in body[:10] else "everything", body.encode()
    # The first request allocates memory that stays allocated.
    await client.post(f"/conformance/requests/{path}", content=b"{}", headers=JSON)
    tracemalloc.start()
    try:
        response = await client.post(f"/conformance/requests/{path}", content=content, headers=JSON)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert response.status_code == status
    # A valid request's response repeats its text, with up to 4 bytes per character.
    assert peak < (80_000_000 if status == 200 else 50_000_000)


@pytest.mark.parametrize(("errors", "counted"), [(350, 250), (5000, 1000)])
async def test_number_of_unlisted_errors_is_limited(
    client: AsyncClient, errors: int, counted: int
) -> None:
    numbers = ["a"] * errors

    response = await client.post("/conformance/requests/everything", json={"numbers": numbers})

    detail = f"The request is not valid. Errors not listed: {counted}."
    assert response.json()["detail"] == detail
    assert len(response.json()["errors"]) == 100


async def test_object_with_many_unknown_fields_has_one_error(client: AsyncClient) -> None:
    body = {f"k{number}": 1 for number in range(1001)}

    response = await client.post("/conformance/requests/everything", json=body)

    message = "Object has 1001 fields, most of them unknown"
    assert response.json()["errors"] == [{"field": "body", "message": message}]


async def test_long_query_has_limited_errors(client: AsyncClient) -> None:
    query = "&".join(f"k{number}=1" for number in range(6000))

    response = await client.get(f"/conformance/requests/period?{query}")

    assert response.status_code == 422
    assert len(response.json()["errors"]) == 100
