"""Base classes and field types of request and response bodies."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints


def without_nul(text: str) -> str:
    """Return the text. Raises ValueError if it contains the NUL character."""
    # PostgreSQL cannot store the NUL character in text.
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    return text


# In OpenAPI, this is a pattern. Validation by the pattern would be several times slower.
_NO_NUL = AfterValidator(without_nul)
_NO_NUL_PATTERN = Field(json_schema_extra={"pattern": r"^[^\x00]*$"})

ShortStr = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    _NO_NUL,
    _NO_NUL_PATTERN,
]
LongStr = Annotated[str, StringConstraints(max_length=100_000), _NO_NUL, _NO_NUL_PATTERN]
SearchStr = Annotated[str, StringConstraints(max_length=200), _NO_NUL, _NO_NUL_PATTERN]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        # The UTC time would be before year 1 or after year 9999.
        raise ValueError("is out of range in UTC") from None


# An offset is required. Values are converted to UTC.
UtcDatetime = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class RequestModel(BaseModel):
    """Base class of request bodies. A field that the class does not declare is an error."""

    model_config = ConfigDict(extra="forbid")


class PatchModel(RequestModel):
    """The body of a PATCH request. Fields that are not sent keep their values."""

    def sent(self, *, apart_from: str | None = None) -> dict[str, Any]:
        """Return the fields that the client sent, except for one."""
        return {name: getattr(self, name) for name in self.model_fields_set - {apart_from}}


def optional_field() -> Any:
    """Return the default of a `PatchModel` field that may be omitted, but must not be null.

    For example: `title: ShortStr = optional_field()`.
    """
    # Not `default=None`, which OpenAPI would show although null is invalid.
    return Field(default_factory=lambda: None)


class ResponseModel(BaseModel):
    """A response body. It can be created from a model instance."""

    # A `numeric` column of PostgreSQL can contain NaN and infinity. In OpenAPI, a field with a
    # default is required, because it is always sent.
    model_config = ConfigDict(
        from_attributes=True, allow_inf_nan=True, json_schema_serialization_defaults_required=True
    )
