"""Entity tags: a client changes the version of a row that it has read, or none (RFC 9110, 13.1.1).

Without `If-Match`, an update is still refused where somebody else's came between its own read and
write: the version column sees to that. The header extends this to what the client read before.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Response

from app.kit.db.attributes import attribute_name
from app.kit.db.base import Record
from app.kit.errors import Problem

_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_TAGS = rf"^(?:\*|{_TAG}(?:[ \t]*,[ \t]*{_TAG})*)$"


class PreconditionFailed(Problem):
    """The client has read another version than the one there is now."""

    status = HTTPStatus.PRECONDITION_FAILED


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class EntityTag:
    """What a request says of the version it means, and its answer of the one it shows."""

    response: Response
    if_match: str | None

    def check(self, row: Record) -> None:
        """Raise `PreconditionFailed` unless the client means this version, or does not say."""
        # A weak tag never matches: it does not promise that nothing at all has changed.
        if self.if_match in (None, "*") or _tag(row) in re.split(r"[ \t]*,[ \t]*", self.if_match):
            return
        raise PreconditionFailed("It has changed since it was read: read it again.")

    def show(self, row: R) -> R:
        """Send the version of a row with the answer that shows the row."""
        self.response.headers["ETag"] = _tag(row)
        return row


def _tag(row: Record) -> str:
    # A model that counts no versions has no such column: an error of whoever uses a tag for it.
    version: Any = row.__mapper__.version_id_col
    return f'"{getattr(row, attribute_name(row.__mapper__, version))}"'


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
