"""Entity tags: a client changes the version of a row that it has read, or none (RFC 9110, 13.1.1).

Without `If-Match`, an update is still refused where somebody else's came between its own read and
write: the version column sees to that. The header extends this to what the client read before.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import Depends, Header, Response
from pydantic import BaseModel

from app.kit.db.attributes import attribute_name
from app.kit.db.base import Record
from app.kit.errors import Problem

_SAFE = "!#$&'()*+/:;<=>?@[]^`{|}"
_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_TAGS = rf"^(?:\*|{_TAG}(?:[ \t]*,[ \t]*{_TAG})*)$"


class PreconditionFailed(Problem):
    """The client has read another version than the one there is now."""

    status = HTTPStatus.PRECONDITION_FAILED


R = TypeVar("R", bound=Record | BaseModel)


@dataclass(frozen=True, slots=True)
class EntityTag:
    """What a request says of the version it means, and its answer of the one it shows."""

    response: Response
    if_match: str | None

    def check(self, row: Record | BaseModel) -> None:
        """Raise `PreconditionFailed` unless `If-Match` names this version or is not sent.

        The row is an entity with a version column, or a schema with a field `version`.
        """
        # A weak tag never matches: it does not promise that nothing at all has changed.
        if self.if_match in (None, "*") or _tag(row) in re.split(r"[ \t]*,[ \t]*", self.if_match):
            return
        raise PreconditionFailed("It has changed since it was read: read it again.")

    def show(self, row: R) -> R:
        """Send the version of a row as `ETag`, and return the row.

        The row is an entity with a version column, or a schema with a field `version`. Raises
        TypeError for a row without a version.
        """
        self.response.headers["ETag"] = _tag(row)
        return row


def _tag(row: Record | BaseModel) -> str:
    name: str | None = "version"
    if isinstance(row, Record):
        column: Any = row.__mapper__.version_id_col
        name = None if column is None else attribute_name(row.__mapper__, column)
    version = name and getattr(row, name, None)
    if version is None:
        raise TypeError(
            f"{type(row).__name__} has no version for an ETag: add the field `version` to the"
            " schema, and a `version_id_col` to the model."
        )
    # A time has a space, which a tag must not have.
    return f'"{quote(str(version), safe=_SAFE)}"'


# A coroutine: FastAPI would run a plain class in a thread of its own.
async def _entity_tag(
    response: Response,
    if_match: Annotated[
        str | None,
        Header(pattern=_TAGS, max_length=1000, description="ETag of the version to change"),
    ] = None,
) -> EntityTag:
    return EntityTag(response, if_match)


ETag = Annotated[EntityTag, Depends(_entity_tag)]
