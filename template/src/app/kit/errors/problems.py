"""Domain exceptions, which become problem documents (RFC 9457) in responses."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

# Python 3.13 renamed these phrases. Use the new ones on every version.
_RFC_9110 = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}

_LONGEST_FIELD = 500  # characters


def status_title(status: int) -> str:
    """Return the reason phrase of an HTTP status code from RFC 9110."""
    try:
        return _RFC_9110.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Client Error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "Server Error"


def _shortened(field: str) -> str:
    # The path may contain keys of the request body, which may be as long as the body.
    return field if len(field) <= _LONGEST_FIELD else f"{field[:_LONGEST_FIELD]}…"


class FieldProblem(BaseModel):
    """An error in one field of a request."""

    model_config = ConfigDict(validate_assignment=True)

    field: Annotated[str, AfterValidator(_shortened)] = Field(
        description="Path of the field, such as `body.email` or `query.limit`"
    )
    message: str

    @classmethod
    def at(cls, location: Iterable[object], message: str) -> Self:
        """Return an error at a path of keys and indexes."""
        return cls(field=".".join(map(str, location)), message=message)


class ProblemDocument(BaseModel):
    """The body of every error response (RFC 9457)."""

    # The other fields are omitted if they are None.
    model_config = ConfigDict(json_schema_extra={"required": ["type", "title", "status", "detail"]})

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str | SkipJsonSchema[None] = None
    errors: list[FieldProblem] | SkipJsonSchema[None] = None


class Problem(Exception):
    """Base class of domain exceptions. `app.kit.errors.handlers` converts them to responses."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, detail: str, *errors: FieldProblem) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)


class Forbidden(Problem):
    """The caller is known, but not allowed to do this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(Problem):
    """The resource does not exist."""

    status = HTTPStatus.NOT_FOUND


class Conflict(Problem):
    """The request conflicts with the stored data."""

    status = HTTPStatus.CONFLICT


class Invalid(Problem):
    """The request is well-formed, but its content is invalid."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unavailable(Problem):
    """The service is temporarily unavailable. The client may retry."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class CommitOutcomeUnknown(Problem):
    """The transaction may or may not be committed: its outcome is unknown.

    Unlike `Unavailable`, the response has no `Retry-After`: a retry may store the data twice.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}. The changes may or may not have been stored. Check before you retry. A retry "
            "with the same Idempotency-Key is safe if the operation accepts this header."
        )


# Maximum number of errors in one response. Further ones are only counted.
MAX_ERRORS = 100

PROBLEM_MEDIA_TYPE = "application/problem+json"
PROBLEM_SCHEMA = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI documentation of these error responses, for `responses=`."""
    return {
        status: {"model": ProblemDocument, "description": status_title(status)}
        for status in statuses
    }


def problem_content(status: int) -> dict[str, Any]:
    """Return the description and the content of an error response in the OpenAPI schema."""
    document = ProblemDocument(
        title=status_title(status),
        status=status,
        detail="A description of the error.",
        request_id="01987f3e6b5d7c3ab0f2d4c6e8a01357",
    )
    if status == Invalid.status:
        document.errors = [FieldProblem(field="body.name", message="Field required")]
    content = {"schema": PROBLEM_SCHEMA, "example": document.model_dump(exclude_none=True)}
    return {"description": status_title(status), "content": {PROBLEM_MEDIA_TYPE: content}}
