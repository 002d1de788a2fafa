"""Entity tags: conditional updates with `If-Match` (RFC 9110, section 13.1.1).

The version column already rejects an update if another transaction changed the row between the read
and the write of the request. `If-Match` also covers changes since an earlier GET of the client.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from app.kit.db.base import TimestampedModel, attribute_name
from app.kit.errors.problems import FieldProblem, Invalid, Problem

_SAFE = "!#$&'()*+/:;<=>?@[]^`{|}"  # not the comma, which separates tags
_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_TAGS = rf"^(?:\*|{_TAG}(?:[ \t]*,[ \t]*{_TAG})*)$"
_MAX_LENGTH = 1000


class PreconditionFailed(Problem):
    """`If-Match` does not contain the current version of the row."""

    status = HTTPStatus.PRECONDITION_FAILED


R = TypeVar("R", bound=TimestampedModel | BaseModel)


@dataclass(frozen=True, slots=True)
class EntityTag:
    """The `If-Match` header of a request and the `ETag` header of its response."""

    response: Response
    if_match: str | None

    def check(self, row: TimestampedModel | BaseModel) -> None:
        """Raise `PreconditionFailed` if `If-Match` is sent and does not contain this version.

        The row is a model with a version column, or a schema with a field `version`.
        """
        # A weak tag never matches, because it does not guarantee an identical row.
        given = (self.if_match or "*").split(",")
        if given == ["*"] or _tag(row) in [each.strip(" \t") for each in given]:
            return
        raise PreconditionFailed("The resource has changed since it was read. Read it again.")

    def set_header(self, row: R) -> R:
        """Set the response header `ETag` to the version of a row, and return the row.

        The row is a model with a version column, or a schema with a field `version`. Raises
        TypeError for a row without a version.
        """
        self.response.headers["ETag"] = _tag(row)
        return row


def _tag(row: TimestampedModel | BaseModel) -> str:
    name: str | None = "version"
    if isinstance(row, TimestampedModel):
        column: Any = row.__mapper__.version_id_col
        name = None if column is None else attribute_name(row.__mapper__, column)
    version = name and getattr(row, name, None)
    if version is None:
        raise TypeError(
            f"{type(row).__name__} has no version for an ETag: add the field `version` to the"
            " schema, and a `version_id_col` to the model."
        )
    # A tag must not contain spaces, which a datetime has.
    return f'"{quote(str(version), safe=_SAFE)}"'


# A coroutine, because FastAPI would call a class in a thread.
async def _entity_tag(
    request: Request,
    response: Response,
    if_match: Annotated[
        str | None,
        Header(pattern=_TAGS, max_length=_MAX_LENGTH, description="The ETag that the client has"),
    ] = None,
) -> EntityTag:
    # The header may be repeated. FastAPI validates only the first one.
    given = if_match and ",".join(request.headers.getlist("If-Match"))
    if given and not (len(given) <= _MAX_LENGTH and re.match(_TAGS, given)):
        problem = FieldProblem(field="header.If-Match", message="is not a list of entity tags")
        raise Invalid("The request is not valid.", problem)
    return EntityTag(response, given)


ETag = Annotated[EntityTag, Depends(_entity_tag)]
