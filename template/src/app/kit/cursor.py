"""Cursors: places in an ordered list, as text that a client hands back unread."""

import hashlib
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import cache
from types import GenericAlias
from typing import Any, Literal

from pydantic import TypeAdapter

from app.kit.errors import FieldProblem, Invalid

VERSION = 2


class BadCursor(Invalid):
    """The cursor was not given out for this list, with this sort and these filters."""

    def __init__(self) -> None:
        message = "take `next` or `previous` of a page with the same sort and filters"
        super().__init__(
            "The cursor does not belong to this list.",
            FieldProblem(field="query.cursor", message=message),
        )


@dataclass(frozen=True, slots=True)
class Place:
    """After a row of a list, or before it; with no values, the list's very start or end."""

    values: tuple[Any, ...] | None = None
    backward: bool = False


def encode(place: Place, scope: str, types: tuple[Any, ...]) -> str:
    """Write a place down; `scope` is what it may be used for, and is not part of the text."""
    content = (VERSION, place.backward, place.values, _digest(place, scope, types))
    return urlsafe_b64encode(_format(types).dump_json(content)).decode().rstrip("=")


def decode(cursor: str, scope: str, types: tuple[Any, ...]) -> Place:
    """Read a place, or raise `BadCursor`; its values are of these types."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        content = b64decode(padded, altchars=b"-_", validate=True)
        _version, backward, values, digest = _format(types).validate_json(content, strict=True)
    except ValueError:
        raise BadCursor from None
    place = Place(values, backward)
    if digest != _digest(place, scope, types):
        raise BadCursor
    return place


def _digest(place: Place, scope: str, types: tuple[Any, ...]) -> str:
    # It catches mistakes. Who forges one anyway reads no more than the list shows to anybody:
    # the filters are those of the request, and the values are checked by their types.
    content = _format(types).dump_json((VERSION, place.backward, place.values, scope))
    return hashlib.sha256(content).hexdigest()[:16]


@cache
def _format(types: tuple[Any, ...]) -> TypeAdapter[Any]:
    values = GenericAlias(tuple, types)
    content: Any = GenericAlias(tuple, (Literal[2], bool, values | None, str))
    return TypeAdapter(content)
