"""A feature with every common column type takes any input, and returns what it has stored.

`pytest --hypothesis-profile=deep tests/conformance/test_everything.py` takes minutes.
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

from tests.conformance.features.everything import hostile
from tests.conformance.features.everything.equality import is_same
from tests.conformance.features.everything.schemas import (
    TypedRowFields,
    TypedRowQuery,
    TypedRowSort,
)

SAMPLES = "/conformance/everything"
COLUMNS = [name for name in TypedRowFields.model_fields if name != "parent_id"]
JSON = {"Content-Type": "application/json"}
CODES = count(1)
# A deep run tries other random values each day.
SEED = datetime.now(UTC).date().isoformat()
IS_DEEP = settings().max_examples > 100
# Values of a column in a run of seconds; a deep one tries all, and as many random values as this.
FEW = 6
RANDOM = settings().max_examples // 50
# Seconds after which a deep run tries no more values; to read all rows takes half as long again.
DEEP_SECONDS = 200
# Seconds that no request may take.
LONGEST = 5


def parsed(value: str) -> Any:
    """The value that a JSON text stands for, without rounding numbers."""
    sys.set_int_max_str_digits(0)
    try:
        return json.loads(value, parse_float=Decimal)
    except (InvalidOperation, RecursionError):
        return value


class Findings:
    """Failures of one run: the test reports all of them, each once."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.tried = 0

    def add(self, kind: str, case: str) -> None:
        """Note a failure; only the first of its kind."""
        self.found.setdefault(kind, case[:300])

    def check(self) -> None:
        """Fail with everything that was found."""
        lines = [f"{kind}: {case}" for kind, case in sorted(self.found.items())]
        assert not lines, "\n".join(lines)


async def send(client: AsyncClient, method: str, path: str, **options: Any) -> Response:
    """Send a request that must be answered soon."""
    async with asyncio.timeout(LONGEST):
        return await client.request(method, path, **options)


def body(column: str, value: str) -> str:
    """A body with a new code and one more field."""
    return f'{{"code": {next(CODES)}, "{column}": {value}}}'


def names_field(response: Response, column: str) -> bool:
    """Whether a refusal names the field, or says that the body as a whole is not readable."""
    if response.status_code == 413:
        return True
    errors = response.json().get("errors") or []
    parts = [error["field"].split(".") for error in errors]
    return any(column in part or part == ["body"] or "metadata" in part for part in parts)


def values(column: str) -> Iterable[str]:
    """The values to try for a column."""
    if not IS_DEEP:
        return hostile.some_values(column, FEW)
    found = [*hostile.ALL, *islice(hostile.random_values(SEED + column), RANDOM)]
    Random(SEED + column).shuffle(found)
    return found


async def try_value(
    client: AsyncClient, path: str, column: str, value: str, findings: Findings
) -> None:
    """Send a value in every way that a value can be sent."""
    shown = f"{column}={value[:60]}"
    created = await send(client, "POST", SAMPLES, content=body(column, value), headers=JSON)
    judge(created, 201, column, value, f"POST {column}", findings)
    patch = f'{{"{column}": {value}}}'
    for method, target, content in (
        ("PATCH", path, patch),
        ("PUT", path, body(column, value)),
        ("PUT", f"{SAMPLES}/batch", f'{{"rows": [{body(column, value)}]}}'),
    ):
        batch = target.endswith("/batch")
        answer = await send(client, method, target, content=content, headers=JSON)
        kind = f"{method} {'batch ' if batch else ''}{column}"
        if batch:
            if answer.status_code not in (200, 400, 409, 413, 422):
                findings.add(f"{kind} {answer.status_code}", shown)
            elif answer.status_code == 200 and created.status_code != 201:
                findings.add(f"{kind} accepted, POST refused", shown)
            continue
        judge(answer, 200, column, value, kind, findings)
        # An earlier value of the updated row may complete a foreign key.
        is_accepted = answer.status_code == 200
        if answer.status_code != 409 and is_accepted != (created.status_code == 201):
            findings.add(f"{kind} {answer.status_code}, POST {created.status_code}", shown)
    if created.status_code == 201:
        read = await send(client, "GET", f"{SAMPLES}/{created.json()['id']}")
        if read.status_code != 200:
            findings.add(f"GET {column} {read.status_code}", shown)
        elif not is_same(column, parsed(value), read.json()[column]):
            findings.add(f"GET {column} differs from what was sent", shown)


def judge(
    response: Response, success: int, column: str, value: str, kind: str, findings: Findings
) -> None:
    """Note whatever is wrong with the response to a value."""
    shown = f"{value[:80]} -> {response.text[:150]}"
    if response.status_code == success:
        found = response.json()[column]
        if not is_same(column, parsed(value), found):
            findings.add(f"{kind} stores another value", f"{value[:80]} -> {found!r:.80}")
    elif response.status_code not in (400, 409, 413, 422):
        findings.add(f"{kind} {response.status_code}", shown)
    elif not names_field(response, column):
        findings.add(f"{kind} {response.status_code} without the field", shown)


async def test_accepted_values_are_returned_equal(committing_client: AsyncClient) -> None:
    findings = Findings()
    updated = await send(committing_client, "POST", SAMPLES, json={"code": next(CODES)})
    path = f"{SAMPLES}/{updated.json()['id']}"
    end = monotonic() + DEEP_SECONDS
    # In turns, so that a deep run has tried all columns when its time is over.
    for round_ in zip_longest(*map(values, COLUMNS)):
        for column, value in zip(COLUMNS, round_, strict=True):
            if value is not None and (not IS_DEEP or monotonic() < end):
                findings.tried += 1
                await try_value(committing_client, path, column, value, findings)
    sys.stdout.write(f"{findings.tried} values\n")
    await walk(committing_client, findings)
    findings.check()


async def pages(client: AsyncClient, params: dict[str, Any], way: str = "next") -> list[Any]:
    """All rows of the feed, page after page."""
    rows: list[Any] = []
    while True:
        response = await send(client, "GET", f"{SAMPLES}/feed", params=params)
        assert response.status_code == 200, f"{params}: {response.text[:300]}"
        page = response.json()
        rows = [*rows, *page["items"]] if way == "next" else [*page["items"], *rows]
        if page[way] is None:
            return rows
        params = params | {"cursor": page[way]}


async def walk(client: AsyncClient, findings: Findings) -> None:
    """Read all rows in every way that there is: each way shows the same rows."""
    exported = await send(client, "GET", f"{SAMPLES}/export")
    if exported.status_code != 200:
        findings.add(f"export {exported.status_code}", exported.text)
        return
    all_rows = {row["id"]: row for row in map(json.loads, exported.text.splitlines())}
    for sort in TypedRowSort:
        for descending in ("false", "true"):
            params = {"limit": 100, "sort": sort.value, "descending": descending}
            kind = f"feed by {sort} descending={descending}"
            try:
                rows = await pages(client, params)
            except AssertionError as error:
                findings.add(f"{kind} fails", str(error))
                continue
            if len(rows) != len(all_rows):
                findings.add(f"{kind} ends early", f"{len(rows)} of {len(all_rows)} rows")
            elif any(all_rows[row["id"]] != row for row in rows):
                findings.add(f"{kind} shows other values", "")
    for path in ("", "/view"):
        total = 0
        while True:
            page = await send(client, "GET", SAMPLES + path, params={"limit": 100, "offset": total})
            if page.status_code != 200:
                findings.add(f"list{path} {page.status_code}", page.text)
                break
            items = page.json()["items"]
            total += len(items)
            if any(all_rows[row["id"]] != row for row in items):
                findings.add(f"list{path} shows other values", "")
            if not items:
                if total != len(all_rows):
                    findings.add(f"list{path} is incomplete", f"{total} of {len(all_rows)}")
                break


async def test_query_and_path_parameters_take_any_text(committing_client: AsyncClient) -> None:
    findings = Findings()
    await send(committing_client, "POST", SAMPLES, json={"code": 1})
    for text in hostile.TEXTS:
        for name in [*TypedRowQuery.model_fields, "unknown"]:
            answer = await send(committing_client, "GET", SAMPLES, params={name: text})
            if answer.status_code not in (200, 422):
                findings.add(f"query {name} {answer.status_code}", repr(text))
        for name in ("cursor", "sort", "descending", "limit"):
            answer = await send(committing_client, "GET", f"{SAMPLES}/feed", params={name: text})
            if answer.status_code not in (200, 422):
                findings.add(f"feed {name} {answer.status_code}", repr(text))
        for method in ("GET", "DELETE"):
            path = f"{SAMPLES}/{quoted(text)}"
            answer = await send(committing_client, method, path)
            if answer.status_code not in (200, 204, 404, 405, 422, 307):
                findings.add(f"path {method} {answer.status_code}", repr(text))
    findings.check()


def quoted(text: str) -> str:
    """A text as one part of a path."""
    return quote(text, safe="")


def requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Requests that are wrong as a whole."""
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
    findings = Findings()
    for method, path, options in requests():
        answer = await send(committing_client, method, path, **options)
        if answer.status_code >= 500:
            shown = " ".join(f"{name}={str(value)[:100]}" for name, value in options.items())
            findings.add(f"{method} {path} {answer.status_code} {shown[:60]}", shown)
        elif answer.status_code >= 400 and method != "HEAD":
            media_type = answer.headers.get("content-type", "")
            if media_type != "application/problem+json":
                findings.add(
                    f"{method} {path} {answer.status_code} is {media_type!r}", str(options)[:100]
                )
    findings.check()


@pytest.mark.parametrize("kind", ["truck", "bicycle"])
@pytest.mark.parametrize("number", [1, 32768, -32769, 2147483648, 2**63, 2**64])
async def test_subclasses_take_any_number(
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
