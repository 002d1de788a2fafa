"""A feature with every common column type accepts or rejects any value, and returns what it stored.

`pytest --hypothesis-profile=deep tests/conformance/features/test_column_types.py` takes minutes.
"""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import count, islice, zip_longest
from random import Random
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest
from httpx2 import AsyncClient, Response
from hypothesis import settings

from tests.conformance.features.column_types import adversarial_values
from tests.conformance.features.column_types.equality import is_same
from tests.conformance.features.column_types.schemas import (
    TypedRowFields,
    TypedRowQuery,
    TypedRowSort,
)

SAMPLES = "/conformance/everything"
COLUMNS = [name for name in TypedRowFields.model_fields if name != "parent_id"]
JSON = {"Content-Type": "application/json"}
CODES = count(1)
# A deep run uses different random values each day.
SEED = datetime.now(UTC).date().isoformat()
IS_DEEP = settings().max_examples > 100
# Values per column in a default run. A deep run uses all values, and RANDOM_COUNT random ones.
DEFAULT_COUNT = 6
RANDOM_COUNT = settings().max_examples // 50
# Seconds of a deep run; reading all rows afterwards takes half as long again.
DEEP_SECONDS = 200
# The maximum duration of a request in seconds.
MAX_SECONDS = 5


def parsed(value: str) -> Any:
    """Parse JSON without rounding numbers."""
    sys.set_int_max_str_digits(0)
    try:
        return json.loads(value, parse_float=Decimal)
    except (InvalidOperation, RecursionError):
        return value


class Failures:
    """The failures of a run, one example of each kind."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.tried = 0

    def add(self, kind: str, case: str) -> None:
        """Record a failure; only the first one of each kind is kept."""
        self.found.setdefault(kind, case[:300])

    def check(self) -> None:
        """Fail with all recorded failures."""
        lines = [f"{kind}: {case}" for kind, case in sorted(self.found.items())]
        assert not lines, "\n".join(lines)


async def send(client: AsyncClient, method: str, path: str, **options: Any) -> Response:
    """Send a request; raises TimeoutError if it takes longer than MAX_SECONDS."""
    async with asyncio.timeout(MAX_SECONDS):
        return await client.request(method, path, **options)


def body(column: str, value: str) -> str:
    """Return a request body with a new code and one more field."""
    return f'{{"code": {next(CODES)}, "{column}": {value}}}'


def reports_field(response: Response, column: str) -> bool:
    """Whether an error response names the field, or rejects the body as a whole."""
    if response.status_code == 413:
        return True
    errors = response.json().get("errors") or []
    parts = [error["field"].split(".") for error in errors]
    return any(column in part or part == ["body"] or "metadata" in part for part in parts)


def values(column: str) -> Iterable[str]:
    """Return the values to try for a column."""
    if not IS_DEEP:
        return adversarial_values.some_values(column, DEFAULT_COUNT)
    found = [
        *adversarial_values.ALL,
        *islice(adversarial_values.random_values(SEED + column), RANDOM_COUNT),
    ]
    Random(SEED + column).shuffle(found)
    return found


async def try_value(
    client: AsyncClient, path: str, column: str, value: str, failures: Failures
) -> None:
    """Send a value with every method that accepts it."""
    shown = f"{column}={value[:60]}"
    created = await send(client, "POST", SAMPLES, content=body(column, value), headers=JSON)
    check_response(created, 201, column, value, f"POST {column}", failures)
    patch = f'{{"{column}": {value}}}'
    for method, target, content in (
        ("PATCH", path, patch),
        ("PUT", path, body(column, value)),
        ("PUT", f"{SAMPLES}/batch", f'{{"rows": [{body(column, value)}]}}'),
    ):
        batch = target.endswith("/batch")
        response = await send(client, method, target, content=content, headers=JSON)
        kind = f"{method} {'batch ' if batch else ''}{column}"
        if batch:
            if response.status_code not in (200, 400, 409, 413, 422):
                failures.add(f"{kind} {response.status_code}", shown)
            elif response.status_code == 200 and created.status_code != 201:
                failures.add(f"{kind} accepted, POST rejected", shown)
            continue
        check_response(response, 200, column, value, kind, failures)
        # An earlier value of the updated row may complete a foreign key.
        is_accepted = response.status_code == 200
        if response.status_code != 409 and is_accepted != (created.status_code == 201):
            failures.add(f"{kind} {response.status_code}, POST {created.status_code}", shown)
    if created.status_code == 201:
        read = await send(client, "GET", f"{SAMPLES}/{created.json()['id']}")
        if read.status_code != 200:
            failures.add(f"GET {column} {read.status_code}", shown)
        elif not is_same(column, parsed(value), read.json()[column]):
            failures.add(f"GET {column} differs from what was sent", shown)


def check_response(
    response: Response, success: int, column: str, value: str, kind: str, failures: Failures
) -> None:
    """Record every problem with the response to a value."""
    shown = f"{value[:80]} -> {response.text[:150]}"
    if response.status_code == success:
        found = response.json()[column]
        if not is_same(column, parsed(value), found):
            failures.add(f"{kind} stores another value", f"{value[:80]} -> {found!r:.80}")
    elif response.status_code not in (400, 409, 413, 422):
        failures.add(f"{kind} {response.status_code}", shown)
    elif not reports_field(response, column):
        failures.add(f"{kind} {response.status_code} without the field", shown)


async def test_accepted_values_are_returned_equal(committing_client: AsyncClient) -> None:
    failures = Failures()
    updated = await send(committing_client, "POST", SAMPLES, json={"code": next(CODES)})
    path = f"{SAMPLES}/{updated.json()['id']}"
    end = monotonic() + DEEP_SECONDS
    # Column by column in each round, so that a deep run tries all columns before its time limit.
    for round_ in zip_longest(*map(values, COLUMNS)):
        for column, value in zip(COLUMNS, round_, strict=True):
            if value is not None and (not IS_DEEP or monotonic() < end):
                failures.tried += 1
                await try_value(committing_client, path, column, value, failures)
    sys.stdout.write(f"{failures.tried} values\n")
    await read_everything(committing_client, failures)
    failures.check()


async def pages(client: AsyncClient, params: dict[str, Any], direction: str = "next") -> list[Any]:
    """Return all rows of the feed."""
    rows: list[Any] = []
    while True:
        response = await send(client, "GET", f"{SAMPLES}/feed", params=params)
        assert response.status_code == 200, f"{params}: {response.text[:300]}"
        page = response.json()
        rows = [*rows, *page["items"]] if direction == "next" else [*page["items"], *rows]
        if page[direction] is None:
            return rows
        params = params | {"cursor": page[direction]}


async def read_everything(client: AsyncClient, failures: Failures) -> None:
    """Read all rows through every endpoint and compare them."""
    exported = await send(client, "GET", f"{SAMPLES}/export")
    if exported.status_code != 200:
        failures.add(f"export {exported.status_code}", exported.text)
        return
    all_rows = {row["id"]: row for row in map(json.loads, exported.text.splitlines())}
    for sort in TypedRowSort:
        for descending in ("false", "true"):
            params = {"limit": 100, "sort": sort.value, "descending": descending}
            kind = f"feed by {sort} descending={descending}"
            try:
                rows = await pages(client, params)
            except AssertionError as error:
                failures.add(f"{kind} fails", str(error))
                continue
            if len(rows) != len(all_rows):
                failures.add(f"{kind} ends early", f"{len(rows)} of {len(all_rows)} rows")
            elif any(all_rows[row["id"]] != row for row in rows):
                failures.add(f"{kind} shows other values", "")
    for path in ("", "/view"):
        total = 0
        while True:
            page = await send(client, "GET", SAMPLES + path, params={"limit": 100, "offset": total})
            if page.status_code != 200:
                failures.add(f"list{path} {page.status_code}", page.text)
                break
            items = page.json()["items"]
            total += len(items)
            if any(all_rows[row["id"]] != row for row in items):
                failures.add(f"list{path} shows other values", "")
            if not items:
                if total != len(all_rows):
                    failures.add(f"list{path} is incomplete", f"{total} of {len(all_rows)}")
                break


async def test_query_and_path_parameters_accept_or_reject_any_text(
    committing_client: AsyncClient,
) -> None:
    failures = Failures()
    await send(committing_client, "POST", SAMPLES, json={"code": 1})
    for text in adversarial_values.TEXTS:
        for name in [*TypedRowQuery.model_fields, "unknown"]:
            response = await send(committing_client, "GET", SAMPLES, params={name: text})
            if response.status_code not in (200, 422):
                failures.add(f"query {name} {response.status_code}", repr(text))
        for name in ("cursor", "sort", "descending", "limit"):
            response = await send(committing_client, "GET", f"{SAMPLES}/feed", params={name: text})
            if response.status_code not in (200, 422):
                failures.add(f"feed {name} {response.status_code}", repr(text))
        for method in ("GET", "DELETE"):
            path = f"{SAMPLES}/{quoted(text)}"
            response = await send(committing_client, method, path)
            if response.status_code not in (200, 204, 404, 405, 422, 307):
                failures.add(f"path {method} {response.status_code}", repr(text))
    failures.check()


def quoted(text: str) -> str:
    """Quote text as one path segment."""
    return quote(text, safe="")


def requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield malformed requests."""
    good = b'{"code": 1}'
    for content_type in (
        *(
            "text/plain",
            "application/xml",
            "multipart/form-data",
            "application/json; charset=utf-16",
        ),
        *("application/json;", "", "application/x-www-form-urlencoded", "*/*", "application/jsonx"),
    ):
        yield "POST", SAMPLES, {"content": good, "headers": {"Content-Type": content_type}}
    for content in (
        *(
            b"",
            b"null",
            b"[]",
            b"1",
            b'"a"',
            b"{",
            b'{"code": 1',
            b'{"code"}',
            b"\xff\xfe",
            b"\xef\xbb\xbf{}",
        ),
        *(b'{"code": 1}' + b" " * 100_000, b"{}{}", b'{"code": 1, "code": "a"}', b'{"\xff": 1}'),
        *(b"[" * 200_000, b'{"a":' * 200_000, '{"code": 1}'.encode("utf-16"), b"\x00" * 1000),
    ):
        yield "POST", SAMPLES, {"content": content, "headers": JSON}
        yield "PUT", f"{SAMPLES}/batch", {"content": content, "headers": JSON}
    for method in ("HEAD", "OPTIONS", "TRACE", "CONNECT", "FOO", "get", "PATCH", "DELETE", "PUT"):
        for path in (SAMPLES, f"{SAMPLES}/1", f"{SAMPLES}/feed", f"{SAMPLES}/batch"):
            yield method, path, {}
    for name, text in (
        *(("If-Match", '"'), ("If-Match", "*"), ("If-Match", '"\xff"'), ("If-Match", '"a",' * 900)),
        *(("If-None-Match", "*"), ("Idempotency-Key", ""), ("Idempotency-Key", "x" * 9000)),
        *(("Accept", "text/html"), ("Accept-Encoding", "\xff"), ("Content-Encoding", "gzip")),
        *(("Content-Length", "-1"), ("Content-Length", "x"), ("Content-Length", "9" * 30)),
        *(("X-Request-ID", "\xff\xfe"), ("X-Request-ID", "a" * 10_000), ("Range", "bytes=0-1")),
        *(("Cache-Control", "no-cache\xff"), ("Host", "\xff"), ("Host", ""), ("Expect", "x")),
        *(("traceparent", "x"), ("Origin", "null"), ("Origin", "\xff"), ("Prefer", "\xff")),
    ):
        headers = [(name.encode(), text.encode("latin-1"))]
        yield "GET", SAMPLES, {"headers": headers}
        yield (
            "POST",
            SAMPLES,
            {"headers": [*headers, (b"content-type", b"application/json")], "content": good},
        )
    for row in range(0, 1001, 1000):
        rows = ",".join(f'{{"code": {code}}}' for code in range(row))
        yield "PUT", f"{SAMPLES}/batch", {"content": f'{{"rows": [{rows}]}}', "headers": JSON}
    yield "PUT", f"{SAMPLES}/batch", {"json": {"rows": [{"code": 1}, {"code": 1}]}}
    yield "PUT", f"{SAMPLES}/batch", {"json": {"rows": [{"code": 1}, {"code": 2, "small": 3}]}}
    yield "POST", SAMPLES, {"json": {"code": 3, "country": "xx", "city": "y"}}
    yield "POST", SAMPLES, {"json": {"code": 3, "country": "x" * 50, "city": None}}


async def test_malformed_requests_are_client_errors(committing_client: AsyncClient) -> None:
    failures = Failures()
    for method, path, options in requests():
        response = await send(committing_client, method, path, **options)
        if response.status_code >= 500:
            shown = " ".join(f"{name}={str(value)[:100]}" for name, value in options.items())
            failures.add(f"{method} {path} {response.status_code} {shown[:60]}", shown)
        elif response.status_code >= 400 and method != "HEAD":
            media_type = response.headers.get("content-type", "")
            if media_type != "application/problem+json":
                failures.add(
                    f"{method} {path} {response.status_code} is {media_type!r}", str(options)[:100]
                )
    failures.check()


@pytest.mark.parametrize("kind", ["truck", "bicycle"])
@pytest.mark.parametrize("number", [1, 32768, -32769, 2147483648, 2**63, 2**64])
async def test_subclasses_accept_or_reject_any_number(
    committing_client: AsyncClient, kind: str, number: int
) -> None:
    new = {"kind": kind, "name": "Ada", "number": number}
    created = await send(committing_client, "POST", "/conformance/everything-vehicles", json=new)
    if abs(number) < 2**15:
        assert created.status_code == 201
    if created.status_code != 201:
        assert created.status_code == 422
        return
    path = f"/conformance/everything-vehicles/{created.json()['id']}"
    changed = await send(committing_client, "PATCH", path, json={"name": "Bob"})
    assert changed.json() == created.json() | {"name": "Bob"}
    assert (await send(committing_client, "GET", path)).json() == changed.json()
    assert (await send(committing_client, "DELETE", path)).status_code == 204
    assert (await send(committing_client, "GET", path)).status_code == 404
