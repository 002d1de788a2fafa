"""One family of errors, answered as problem documents (RFC 9457)."""

from http import HTTPStatus
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Python 3.13 renamed these: the same service has the same titles on every version.
_RFC_9110 = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}

_LONGEST_FIELD = 500  # characters


def title_of(status: int) -> str:
    """Return the name of an HTTP status in RFC 9110, the same on every version of Python."""
    try:
        return _RFC_9110.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Client Error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "Server Error"


def _shortened(field: str) -> str:
    # The keys of a body are a part of it, and may be as long as the body.
    return field if len(field) <= _LONGEST_FIELD else f"{field[:_LONGEST_FIELD]}…"


class FieldProblem(BaseModel):
    """What is wrong with one part of a request."""

    field: Annotated[str, AfterValidator(_shortened)] = Field(
        description="Where it is, as in `body.email` or `query.limit`"
    )
    message: str


class ProblemDocument(BaseModel):
    """The body of every answer that is an error (RFC 9457)."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: list[FieldProblem] | None = None


class Problem(Exception):
    """An error with a meaning for the client. Raise a subclass; `app.kit.handlers` answers it."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, detail: str, *errors: FieldProblem) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)


class NotFound(Problem):
    """The resource does not exist."""

    status = HTTPStatus.NOT_FOUND


class Conflict(Problem):
    """The request contradicts what is stored."""

    status = HTTPStatus.CONFLICT


class Invalid(Problem):
    """The request is well-formed, but its content cannot be accepted."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unavailable(Problem):
    """The service cannot answer now; the client may try again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class OutcomeUnknown(Problem):
    """It may or may not be stored: it was cut short at a moment that nobody can tell.

    Without `Retry-After`, unlike `Unavailable`: whoever simply tries again may do it twice.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: it may or may not be stored. Look before you repeat it, or repeat it with "
            "the same Idempotency-Key where there is one."
        )


# An error response lists so many errors, and the number of the others.
MAX_ERRORS = 100

PROBLEM_MEDIA_TYPE = "application/problem+json"


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document these answers of an endpoint, for `responses=`."""
    return {
        status: {"model": ProblemDocument, "description": title_of(status)} for status in statuses
    }


def example_of_problem(status: int) -> dict[str, Any]:
    """What such an answer looks like, for the document of the API."""
    document = ProblemDocument(
        title=title_of(status),
        status=status,
        detail="What is wrong, in a sentence.",
        request_id="01987f3e6b5d7c3ab0f2d4c6e8a01357",
    )
    if status == Invalid.status:
        document.errors = [FieldProblem(field="body.name", message="Field required")]
    return document.model_dump(exclude_none=True)
