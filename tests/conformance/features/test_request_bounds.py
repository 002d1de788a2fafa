"""The time to validate a body is limited: 4 MB as a number would block all other requests."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv6Network
from time import process_time
from typing import Any, Literal

import pytest
from httpx2 import AsyncClient
from pydantic import (
    AnyUrl,
    BaseModel,
    ByteSize,
    EmailStr,
    IPvAnyAddress,
    Json,
    NameEmail,
    PostgresDsn,
    TypeAdapter,
)
from pydantic_core import SchemaValidator, ValidationError

from app.kit.http.application import Application
from app.kit.http.schemas import LongStr, ShortStr
from app.kit.http.validation import strict_schemas
from app.kit.http.validation.json_body import MAX_LONG_NUMBERS, parse
from app.kit.http.validation.value_checks import MAX_EMBEDDED, new_budget
from tests.support.app import client_of

JSON = {"Content-Type": "application/json"}
TEXTS = ["9", " ", "1.", "1:", "a@", "http://a/", "[", "9,"]


class Color(Enum):
    RED = "red"


def types() -> list[Any]:
    return [
        *(Decimal, IPv4Address, IPv4Interface, IPv6Network, IPvAnyAddress, AnyUrl, PostgresDsn),
        *(ByteSize, Color, Literal["a"], complex, EmailStr, NameEmail, Json),
        *(date, datetime, time, timedelta, ShortStr),
    ]


for_json = partial(strict_schemas.for_json, fail_fast=True)


def validator_of(kind: Any, convert: Callable[[Any], Any] = for_json) -> SchemaValidator:
    new_budget()
    return SchemaValidator(convert(TypeAdapter(kind).core_schema), _use_prebuilt=False)


@pytest.mark.parametrize("kind", types())
@pytest.mark.parametrize(
    "convert",
    [partial(strict_schemas.for_json, fail_fast=False), strict_schemas.for_parameters],
    ids=["json", "parameters"],
)
def test_time_to_parse_text_is_proportional_to_its_length(kind: Any, convert: Any) -> None:
    validator = validator_of(kind, convert)
    begin = process_time()

    for text in TEXTS:
        for length in (2000, 20_000):
            value = (text * length)[:length] + "x"
            for _ in range(400_000 // length):
                new_budget()
                with suppress(ValidationError):
                    validator.validate_python(value)

    # Usually 0.05 s.
    assert process_time() - begin < 0.6


def test_longest_postgresql_number_is_parsed() -> None:
    number = "9" * 131_072 + "." + "9" * 16_383

    assert str(validator_of(Decimal).validate_python(number)) == number


def test_embedded_json_documents_share_a_limit() -> None:
    validator = validator_of(list[Json[Any]])
    document = json.dumps([1] * (MAX_EMBEDDED // 2))
    assert len(validator.validate_python([document])) == 1
    new_budget()
    with pytest.raises(ValidationError, match="has too many values"):
        validator.validate_python([document] * 3)
    new_budget()
    # Commas inside a string are not counted as values.
    assert validator.validate_python([json.dumps("," * MAX_EMBEDDED)])


async def test_length_is_limited_after_whitespace_is_stripped() -> None:
    class Titled(BaseModel):
        title: ShortStr
        text: LongStr = ""

    app = Application()

    @app.post("/titles")
    async def send(title: Titled) -> Titled:
        return title

    client = client_of(app)
    response = await client.post("/titles", json={"title": f"{' ' * 100_000}a{' ' * 100_000}"})
    assert response.json()["title"] == "a"
    response = await client.post("/titles", json={"title": "a" * 201})
    assert response.status_code == 422
    message = "String should have at most 200 characters"
    assert response.json()["errors"] == [{"field": "body.title", "message": message}]
    assert (await client.post("/titles", json={"title": "a", "text": "b" * 99_000})).is_success


@pytest.mark.parametrize(
    "number",
    ["9" * 4300, "9" * 100, f"1.{'9' * 98}", f"-{'9' * 99}"],
    ids=["longest", "integer", "decimal", "negative"],
)
@pytest.mark.parametrize("separator", [",", ' , "a\\"", '], ids=["comma", "string"])
async def test_long_numbers_of_a_body_share_a_limit(
    client: AsyncClient, number: str, separator: str
) -> None:
    count = MAX_LONG_NUMBERS // len(number) * 2 + 3
    body = f'{{"integer": 1, "numbers": [{separator.join([number] * count)}]}}'

    response = await client.post("/conformance/requests/everything", content=body, headers=JSON)

    assert response.status_code == 422
    errors = response.json()["errors"]
    assert errors[0]["field"].startswith("body.numbers.")
    assert errors[0]["message"] == "is too long to be parsed"
    assert len(errors) <= 100


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(["0" * 1000] * 1000),
        json.dumps({"0" * 1000 + str(number): "1" for number in range(1000)}),
        json.dumps([f'"{"0" * 1000}\\'] * 1000),
        json.dumps([int("9" * 39)] * 40_000),
        f"[{'9' * 4000}, 1.{'9' * 147_453}]",
    ],
    ids=["strings", "keys", "escapes", "short numbers", "longest number"],
)
def test_strings_and_short_numbers_are_not_limited_as_long_numbers(body: str) -> None:
    assert parse(body.encode(), 50_000) == json.loads(body)


@pytest.mark.parametrize("text", ["0.12345678901234567890", "-1.5E+3", "2e0"])
@pytest.mark.parametrize(
    "before", ["", " ", "[", "[1,", "[1, ", "[\n", "[\t", "[\r", '{"a":', '{"a": '], ids=repr
)
def test_number_keeps_digits_that_float_loses(before: str, text: str) -> None:
    end = {"[": "]", "{": "}"}.get(before[:1], "")
    parsed = parse(f"{before}{text}{end}".encode(), 10)
    number = next(iter(parsed.values())) if isinstance(parsed, dict) else parsed
    number = number[-1] if isinstance(number, list) else number

    assert (number, number.text) == (float(text), text)
    assert not hasattr(number, "__dict__")


def test_body_with_uuids_is_parsed_only_once() -> None:
    parsed = parse(b'["0193c0de-0000-7000-8000-000000000003", 1.5]', 10)

    assert type(parsed[1]) is float
