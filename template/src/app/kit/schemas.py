"""The base of request and response bodies."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


def _without_nul(text: str) -> str:
    # PostgreSQL cannot store the NUL character in text: refuse it where it enters.
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    return text


# The document of the API says so by a pattern; to match it would take several times as long.
_NO_NUL = AfterValidator(_without_nul)
_DOCUMENTED = Field(json_schema_extra={"pattern": r"^[^\x00]*$"})

Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    _NO_NUL,
    _DOCUMENTED,
]
LongText = Annotated[str, StringConstraints(max_length=100_000), _NO_NUL, _DOCUMENTED]
SearchText = Annotated[str, StringConstraints(max_length=200), _NO_NUL, _DOCUMENTED]


class Input(BaseModel):
    """A request body; a field it does not know is an error, never ignored."""

    model_config = ConfigDict(extra="forbid")


class Changes(Input):
    """The body of a PATCH: what was left out stays as it is."""

    def sent(self, *, apart_from: str | None = None) -> dict[str, Any]:
        """The fields that the client sent, null included where a field allows it."""
        return {name: getattr(self, name) for name in self.model_fields_set - {apart_from}}


def omittable() -> Any:
    """The default of a field in `Changes` that may be left out, but not be null."""
    return Field(default_factory=lambda: None)


class Output(BaseModel):
    """A response body, read from the attributes of a model."""

    # PostgreSQL stores exact numbers that are not finite.
    model_config = ConfigDict(from_attributes=True, allow_inf_nan=True)
