"""Compare the value of a request with the value of the response."""

import ipaddress
import struct
from base64 import b64decode
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

_DURATION = TypeAdapter(timedelta)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def same_json(sent: Any, found: Any) -> bool:
    """Compare JSON values; numbers as floats."""
    match sent, found:
        case dict(), dict():
            return sent.keys() == found.keys() and all(same_json(sent[k], found[k]) for k in sent)
        case list(), list():
            return len(sent) == len(found) and all(map(same_json, sent, found))
    if _is_number(sent) and _is_number(found):
        return bool(sent == found or float(sent) == float(found))
    return type(sent) is type(found) and bool(sent == found)


def _integer(sent: Any, found: Any) -> bool:
    # A JSON number with a decimal point or exponent is parsed as a float.
    exact = sent == found if isinstance(sent, int) else float(sent) == found
    return type(found) is int and _is_number(sent) and bool(exact)


def _decimal(sent: Any, found: Any) -> bool:
    # A decimal may be a JSON string or a JSON number.
    return not isinstance(sent, bool) and Decimal(sent) == Decimal(found)


def _double(sent: Any, found: Any) -> bool:
    return _is_number(sent) and float(sent) == float(found)


def _single(sent: Any, found: Any) -> bool:
    def rounded(value: Any) -> bytes:
        return struct.pack("f", float(value) + 0.0)

    return _is_number(sent) and rounded(sent) == rounded(found)


def _moment(sent: str, found: str) -> bool:
    mine, theirs = datetime.fromisoformat(sent), datetime.fromisoformat(found)
    return (mine.tzinfo is None) == (theirs.tzinfo is None) and mine == theirs


def _time(sent: str, found: str) -> bool:
    mine, theirs = time.fromisoformat(sent), time.fromisoformat(found)
    return mine.replace(tzinfo=None) == theirs.replace(tzinfo=None) and (
        mine.utcoffset() == theirs.utcoffset()
    )


def _exact(sent: Any, found: Any) -> bool:
    return type(sent) is type(found) and bool(sent == found)


def _list_of(same: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda sent, found: len(sent) == len(found) and all(map(same, sent, found))


def _network(sent: str, found: str) -> bool:
    return ipaddress.ip_interface(sent) == ipaddress.ip_interface(found)


SAME: dict[str, Callable[[Any, Any], bool]] = {
    **dict.fromkeys(("small", "integer", "big"), _integer),
    **dict.fromkeys(("price", "number"), _decimal),
    "single": _single,
    "double": _double,
    "binary": lambda sent, found: b64decode(sent) == b64decode(found),
    "token": lambda sent, found: UUID(sent) == UUID(found),
    "day": lambda sent, found: date.fromisoformat(sent) == date.fromisoformat(found),
    **dict.fromkeys(("clock", "clock_tz"), _time),
    **dict.fromkeys(("moment", "local"), _moment),
    "duration": lambda sent, found: (
        isinstance(sent, str)
        and _DURATION.validate_python(sent) == _DURATION.validate_python(found)
    ),
    **dict.fromkeys(("document", "plain_json", "meta"), same_json),
    "integers": _list_of(_integer),
    "decimals": _list_of(_decimal),
    "address": _network,
    "network": _network,
    "numbers": same_json,
    "days": same_json,
}


def is_same(column: str, sent: Any, found: Any) -> bool:
    """Whether a column's value in a response equals the one in the request."""
    if sent is None or found is None:
        return sent is found
    try:
        return SAME.get(column, _exact)(sent, found)
    except (ValueError, TypeError, ArithmeticError):
        return False
