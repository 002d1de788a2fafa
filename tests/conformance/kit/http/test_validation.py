"""An invalid body is never accepted."""

from collections.abc import Callable
from contextlib import suppress
from enum import Enum, IntEnum
from fractions import Fraction
from typing import Annotated, Any

import pytest
from fastapi import Body
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic_core import SchemaValidator
from typing_extensions import TypeAliasType

from app.kit.http.application import Application
from app.kit.http.schemas import RequestModel
from app.kit.http.validation import strict_schemas
from app.kit.http.validation.value_checks import new_budget
from tests.support.app import client_of

# More errors than validation reports.
MANY = ["x"] * 1200
JSON = {"Content-Type": "application/json"}


def none_if_invalid(value: Any, handler: Callable[[Any], Any]) -> Any:
    """Replace an invalid value."""
    with suppress(ValidationError):
        return handler(value)


class Numbers(BaseModel):
    """A choice of a union."""

    values: list[int]


class Texts(BaseModel):
    """The other choice."""

    values: list[str]


Key = TypeAliasType("Key", int)


class Level(IntEnum):
    """An integer enum."""

    LOW = 1


class Rate(Enum):
    """An enum of numbers."""

    HALF = 0.5
    FULL = 1.0


class Sent(BaseModel):
    """A body with lists in lists and in unions."""

    groups: list[list[int] | list[str]] = Field([])
    group: list[int] | list[str] = Field([])
    by_name: dict[str, list[int] | list[str]] = Field({})
    rows: list[Numbers | Texts] = Field([])
    amounts: list[int] = Field([])
    counts: dict[str, int] = Field({})
    keys: dict[int, str] = Field({})
    unique: set[int] = Field(set())
    many: tuple[int, ...] = Field(())
    total: Annotated[list[int], AfterValidator(sum)] = Field([])
    rate: Rate | None = None
    share: Fraction | None = None
    level: Level | None = None
    by_level: dict[Level, int] = Field({})
    key: Key = 0
    by_key: dict[Key, int] = Field({})
    only: Numbers | None = None
    replaced: list[tuple[Annotated[list[int], WrapValidator(none_if_invalid)], int]] = Field([])


class Defaults(BaseModel):
    """A model that needs no field."""

    text: str = ""


def validator_of(kind: Any, *, fail_fast: bool) -> SchemaValidator:
    schema = strict_schemas.for_json(TypeAdapter(kind).core_schema, fail_fast=fail_fast)
    return SchemaValidator(schema, _use_prebuilt=False)


async def errors_of(body: Any, endpoint: Callable[..., Any]) -> list[str] | None:
    """Send a body; return the invalid fields, or None if the endpoint has received it."""
    app = Application()
    app.post("/sent", response_model=int)(endpoint)
    content = body if isinstance(body, str) else None
    data = {"content": content, "headers": JSON} if content else {"json": body}
    found: list[list[str] | None] = []
    async with client_of(app) as client:
        for overrides in ({}, {errors_of: errors_of}):
            # With any override, FastAPI handles the request, not `FastEndpoint`.
            app.dependency_overrides = overrides
            response = await client.post("/sent", **data)
            assert response.status_code in (200, 422), response.text
            errors = response.json()
            is_invalid = response.status_code == 422
            found.append([each["field"] for each in errors["errors"]] if is_invalid else None)
    assert found[0] == found[1]
    return found[0]


async def send(sent: Sent) -> int:
    """Accept a body."""
    return len(sent.model_fields_set)


@pytest.mark.parametrize(
    "valid",
    [
        {"groups": [MANY]},
        {"groups": [["x"]] * 1200},
        {"group": MANY},
        {"by_name": {"a": MANY}},
        {"rows": [{"values": MANY}]},
        {"rows": [{"values": ["x"]}] * 1200},
    ],
    ids=["list in list", "many lists", "list", "mapping", "model", "many models"],
)
@pytest.mark.parametrize(
    ("invalid", "field"),
    [
        ({"amounts": ["x"]}, "body.amounts.0"),
        ({"counts": {"a": "x"}}, "body.counts.a"),
        ({"keys": {"a": "x"}}, "body.keys.a.[key]"),
        ({"unique": ["x"]}, "body.unique.0"),
        ({"many": ["x"]}, "body.many.0"),
        ({"total": ["x"]}, "body.total.0"),
        ({"only": {"values": ["x"]}}, "body.only.values.0"),
        ({"replaced": [[["x"], 1], [[], "x"]]}, "body.replaced.1.1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_errors_of_a_union_that_is_valid_hide_no_error(
    valid: dict[str, Any], invalid: dict[str, Any], field: str
) -> None:
    assert await errors_of(valid, send) is None
    assert await errors_of(valid | invalid, send) == [field]


async def test_later_items_of_a_list_with_many_errors_are_never_used() -> None:
    # The validator of `total` fails for values that are not numbers.
    fields = await errors_of({"amounts": MANY, "total": ["x"]}, send)
    assert fields == [f"body.amounts.{number}" for number in range(100)]


@pytest.mark.parametrize(
    "body",
    [
        {"amounts": ["x"] * 40_000},
        {"unique": ["x"] * 40_000},
        {"many": ["x"] * 40_000},
        {"counts": dict.fromkeys(map(str, range(20_000)), "x")},
        {"keys": {f"a{number}": "x" for number in range(20_000)}},
        {"groups": [[None]] * 20_000},
        {"rows": [{"values": [None] * 100}] * 200},
    ],
    ids=lambda body: next(iter(body)),
)
def test_number_of_reported_errors_is_limited(body: Any) -> None:
    reporting = validator_of(Sent, fail_fast=False)
    new_budget()
    with pytest.raises(ValidationError) as caught:
        reporting.validate_python(body)
    assert 1000 < caught.value.error_count() < 1400


@pytest.mark.parametrize(
    ("body", "is_valid"),
    [
        ({"rate": 0.5}, True),
        ('{"rate": 5e-1}', True),
        ('{"rate": 0.5, "group": [12345678901234567.89]}', False),
        ('{"rate": 0.50000000000000000000}', True),
        # JavaScript writes 1.0 like this.
        ({"rate": 1}, True),
        ({"rate": True}, False),
        ({"share": "1/3"}, True),
        ({"share": True}, False),
        ({"rate": "0.5"}, False),
        ({"rate": 0.25}, False),
        ({"level": 1, "by_level": {"1": 2}}, True),
        ({"level": "1"}, False),
        ({"key": 1, "by_key": {"1": 2}}, True),
        ({"key": "1"}, False),
        ({"by_key": {"x": 2}}, False),
        ({"by_level": {"2": 2}}, False),
        ('{"only": 1.00000000000000000000}', False),
        ('{"rows": [1.00000000000000000000]}', False),
        ("1.00000000000000000000", False),
    ],
    ids=str,
)
async def test_number_is_accepted_if_the_type_is_a_number(body: Any, is_valid: bool) -> None:
    assert (await errors_of(body, send) is None) == is_valid


async def test_number_is_not_an_object() -> None:
    async def send_defaults(defaults: Defaults, more: Annotated[int, Body()] = 0) -> int:
        return len(defaults.text) + more

    async def send_only(defaults: Defaults) -> int:
        return len(defaults.text)

    number = "1.00000000000000000000"
    assert await errors_of(f'{{"defaults": {number}}}', send_defaults) == ["body.defaults"]
    assert await errors_of(number, send_only) == ["body"]


class Password(RequestModel):
    """A model with a validator that changes its input."""

    password: str
    age: int = 0

    @model_validator(mode="before")
    @classmethod
    def check_repeated(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Remove the repeated password. Raises ValueError if it differs."""
        if values.pop("repeated", values["password"]) != values["password"]:
            raise ValueError("must be the same password")
        return values


class Position(BaseModel):
    """A model with a validator that fails for its own output."""

    latitude: float
    longitude: float
    name: str

    @model_validator(mode="before")
    @classmethod
    def split(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Split the position."""
        latitude, longitude = values.pop("position")
        return values | {"latitude": latitude, "longitude": longitude}


async def test_validator_that_changes_its_input_cannot_make_it_valid() -> None:
    async def send_password(body: Password) -> int:
        return len(body.password)

    async def send_position(body: Position) -> int:
        return len(body.name)

    assert await errors_of({"password": "a", "repeated": "a"}, send_password) is None
    assert await errors_of({"password": "a", "repeated": "b"}, send_password) == ["body"]
    assert await errors_of({"position": [1, 2], "name": "a"}, send_position) is None
    assert await errors_of({"position": [1, 2], "name": 1}, send_position) == ["body.name"]
