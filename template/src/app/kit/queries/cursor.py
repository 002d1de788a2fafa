"""Cursors: opaque strings with a position in a list that has this sort order and these filters."""

import hashlib
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import cache
from types import GenericAlias
from typing import Any, Literal

from pydantic import TypeAdapter

from app.kit.errors.problems import FieldProblem, Invalid

VERSION = 2


class InvalidCursor(Invalid):
    """The cursor is from another list, or from the same list with another sort or filter."""

    def __init__(self) -> None:
        message = "must be `next` or `previous` of a page with the same sort and filters"
        problem = FieldProblem(field="query.cursor", message=message)
        super().__init__("The cursor does not belong to this list.", problem)


@dataclass(frozen=True, slots=True)
class CursorPosition:
    """A position after a row (or before it if `backward`).

    Without values, it is the start of the list (or its end if `backward`).
    """

    values: tuple[Any, ...] | None = None
    backward: bool = False


def encode_cursor(place: CursorPosition, scope: str, types: tuple[Any, ...]) -> str:
    """Return the cursor of a position. It is valid only for the same `scope`."""
    content = (VERSION, place.backward, place.values, _digest(place, scope, types))
    return urlsafe_b64encode(_format(types).dump_json(content)).decode().rstrip("=")


def decode_cursor(cursor: str, scope: str, types: tuple[Any, ...]) -> CursorPosition:
    """Return the position of a cursor, with values of these types, or raise `InvalidCursor`."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        content = b64decode(padded, altchars=b"-_", validate=True)
        _version, backward, values, digest = _format(types).validate_json(content, strict=True)
    except ValueError:
        raise InvalidCursor from None
    place = CursorPosition(values, backward)
    if digest != _digest(place, scope, types):
        raise InvalidCursor
    return place


def _digest(place: CursorPosition, scope: str, types: tuple[Any, ...]) -> str:
    # The digest detects mistakes, it is not a signature. A forged cursor gives no additional
    # access: the filters come from the request, and the values are validated.
    content = _format(types).dump_json((VERSION, place.backward, place.values, scope))
    return hashlib.sha256(content).hexdigest()[:16]


@cache
def _format(types: tuple[Any, ...]) -> TypeAdapter[Any]:
    values = GenericAlias(tuple, types)
    content: Any = GenericAlias(tuple, (Literal[2], bool, values | None, str))
    return TypeAdapter(content)
