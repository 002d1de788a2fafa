"""Request models with plain types, written like a team's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from typing import Any, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    EmailStr,
    Field,
    Json,
    NaiveDatetime,
    SecretStr,
    field_validator,
    model_validator,
)

from app.kit.http.schemas import RequestModel


class Level(IntEnum):
    """A level of urgency."""

    LOW = 1
    HIGH = 2


class Color(Enum):
    """A color."""

    RED = "red"


@dataclass
class Size:
    """A size as a dataclass."""

    width: int


class Slot(BaseModel):
    """A nested model that is not an `RequestModel`."""

    starts_at: datetime
    length: timedelta = timedelta(hours=1)


class Everything(RequestModel):
    """One optional field of each type."""

    boolean: bool = False
    integer: int = 0
    number: float = 0
    text: str = ""
    amount: Decimal = Decimal(0)
    at: datetime | None = None
    local: NaiveDatetime | None = None
    day: date | None = None
    length: timedelta | None = None
    key: UUID | None = None
    level: Level = Level.LOW
    color: Color = Color.RED
    choice: Literal[1, "a"] = 1
    secret: SecretStr = SecretStr("")
    email: EmailStr | None = None
    address: IPv4Address | None = None
    either: int | str | None = None
    moment_or_number: datetime | int | None = None
    slot: Slot | None = None
    slots: list[Slot] = Field([])
    slots_by_name: dict[str, Slot] = Field({})
    counts: Mapping[int, int] = Field({})
    counts_by_time: dict[datetime, int] = Field({})
    embedded: Json[Any] = None
    pair: tuple[int, datetime] | None = None
    numbers: set[int] = Field(set())
    size: Size | None = None
    anything: Any = None
    document: dict[str, Any] = Field({})
    children: list["Everything"] = Field([])

    @model_validator(mode="before")
    @classmethod
    def _unchanged(cls, values: Any) -> Any:
        return values

    @field_validator("key", mode="before")
    @classmethod
    def _also_unchanged(cls, key: Any) -> Any:
        return key
