"""Request and response bodies of samples."""

from base64 import b64decode, b64encode
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    NaiveDatetime,
    PlainSerializer,
    StringConstraints,
    model_validator,
)
from sqlalchemy.dialects.postgresql import BitString, Range

from app.kit.db.ids import Id
from app.kit.http.schemas import (
    LongStr,
    PatchModel,
    RequestModel,
    ResponseModel,
    SearchStr,
    optional_field,
)
from app.kit.queries.pagination import CursorQuery, PageQuery
from tests.conformance.features.column_types.models import TypedColour


def _decode(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError("must be Base64 text")
    return b64decode(value, validate=True)


class _Range(RequestModel):
    lower: Any
    upper: Any

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        # PostgreSQL does not store the bounds of an empty range.
        if None not in (self.lower, self.upper) and self.lower >= self.upper:
            raise ValueError("must end after it begins")
        return self

    def to_range(self) -> Range[Any]:
        """Return the range as SQLAlchemy expects it."""
        return Range(self.lower, self.upper)


class IntRange(_Range):
    """A range of integers that excludes its upper bound."""

    lower: int | None
    upper: int | None


class DateRange(_Range):
    """A range of dates that excludes its upper bound."""

    lower: date | None
    upper: date | None


Bits = Annotated[str, StringConstraints(pattern=r"^[01]{8}$"), AfterValidator(BitString)]
Mac = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")]
# Pydantic's `Base64Bytes` ignores characters outside Base64, and also decodes response values.
Decoded = Annotated[bytes, BeforeValidator(_decode)]
Encoded = Annotated[bytes, PlainSerializer(lambda data: b64encode(data).decode(), return_type=str)]


class TypedRowFields(RequestModel):
    """All columns that a client may set, except the code."""

    small: int | None = None
    integer: int | None = None
    big: int | None = None
    price: Annotated[Decimal, Field(max_digits=10, decimal_places=2)] | None = None
    number: Decimal | None = None
    single: float | None = None
    double: float | None = None
    flag: bool | None = None
    text: LongStr | None = None
    varchar: str | None = None
    # PostgreSQL pads shorter text with spaces.
    fixed: Annotated[str, StringConstraints(min_length=3, max_length=3)] | None = None
    binary: Decoded | None = None
    token: UUID | None = None
    day: date | None = None
    clock: time | None = None
    clock_tz: time | None = None
    moment: datetime | None = None
    local: NaiveDatetime | None = None
    duration: timedelta | None = None
    document: JsonValue = None
    plain_json: JsonValue = None
    integers: list[int] | None = None
    decimals: list[Decimal] | None = None
    words: list[str] | None = None
    colours: list[TypedColour] | None = None
    colour: TypedColour | None = None
    address: IPv4Interface | IPv6Interface | None = None
    network: IPv4Network | IPv6Network | None = None
    mac: Mac | None = None
    numbers: Annotated[IntRange, AfterValidator(IntRange.to_range)] | None = None
    days: Annotated[DateRange, AfterValidator(DateRange.to_range)] | None = None
    bits: Bits | None = None
    meta: dict[str, JsonValue] | None = None
    parent_id: Id | None = None
    country: str | None = None
    city: str | None = None


class TypedRowCreate(TypedRowFields):
    """A new sample."""

    code: int


class TypedRowChanges(TypedRowFields, PatchModel):
    """A partial update of a sample."""

    code: int = optional_field()


class TypedRowSort(StrEnum):
    """The column to sort by."""

    SMALL = "small"
    INTEGER = "integer"
    BIG = "big"
    PRICE = "price"
    NUMBER = "number"
    SINGLE = "single"
    DOUBLE = "double"
    FLAG = "flag"
    TEXT = "text"
    VARCHAR = "varchar"
    FIXED = "fixed"
    TOKEN = "token"
    DAY = "day"
    CLOCK = "clock"
    MOMENT = "moment"
    LOCAL = "local"
    DURATION = "duration"
    COLOUR = "colour"
    RANK = "rank"
    TWICE = "twice"


class TypedRowQuery(PageQuery):
    """Filters of the list with offset pagination."""

    q: SearchStr | None = None
    small: int | None = None
    integer: int | None = None
    number: Decimal | None = None
    double: float | None = None
    varchar: str | None = None
    moment: datetime | None = None
    day: date | None = None
    duration: timedelta | None = None
    colour: TypedColour | None = None
    parent_id: Id | None = None


class TypedRowFeed(CursorQuery):
    """Sort order of the list with cursor pagination."""

    sort: TypedRowSort = TypedRowSort.INTEGER
    descending: bool = False


class RangeOut(ResponseModel):
    """A range that excludes its upper bound."""

    lower: int | date | None
    upper: int | date | None


class TypedRowOut(ResponseModel):
    """A sample."""

    id: Id
    code: int
    small: int | None
    integer: int | None
    big: int | None
    price: Decimal | None
    number: Decimal | None
    single: float | None
    double: float | None
    flag: bool | None
    text: str | None
    varchar: str | None
    fixed: str | None
    binary: Encoded | None
    token: UUID | None
    day: date | None
    clock: time | None
    clock_tz: time | None
    moment: datetime | None
    local: datetime | None
    duration: timedelta | None
    document: JsonValue
    plain_json: JsonValue
    integers: list[int] | None
    decimals: list[Decimal] | None
    words: list[str] | None
    colours: list[TypedColour] | None
    colour: TypedColour | None
    address: IPv4Interface | IPv6Interface | None
    network: IPv4Network | IPv6Network | None
    mac: str | None
    numbers: RangeOut | None
    days: RangeOut | None
    bits: str | None
    meta: dict[str, JsonValue] | None
    parent_id: Id | None
    country: str | None
    city: str | None
    rank: int
    serial: int
    twice: int | None
    stamped: datetime


class TypedRowsPut(ResponseModel):
    """The numbers of inserted and updated samples."""

    inserted: int
    updated: int


class TypedVehicleCreate(RequestModel):
    """A new truck or bicycle."""

    kind: Literal["truck", "bicycle"]
    name: Annotated[str, StringConstraints(max_length=40)]
    number: int


class TypedVehicleChanges(PatchModel):
    """A partial update of a vehicle."""

    name: Annotated[str, StringConstraints(max_length=40)] = optional_field()


class TypedVehicleOut(ResponseModel):
    """A vehicle."""

    id: Id
    kind: str
    name: str
