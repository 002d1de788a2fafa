"""JSON bodies: limits before parsing, and rejection of text that PostgreSQL cannot store."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NoReturn, Self, cast

from fastapi import Request
from pydantic_core import from_json

from app.kit.errors.problems import MAX_ERRORS, FieldProblem, Invalid
from app.kit.http.middleware.request_limits import RequestTooLarge
from app.kit.http.validation.value_checks import MAX_PARSED, has_more_values, without_escapes

# Translates every character of a number to 0, the exponent to `e`, and the characters that may
# precede a number to a colon. Searching the result is faster than a complex regular expression.
DIGITS = bytes.maketrans(b"123456789.+-E,[ \t\n\r", b"0" * 12 + b"e" + b":" * 6)
# A number of this many characters is long.
LONG = 40
_LONG_NUMBER = b"0" * LONG
# A number that a float may not represent exactly, as translated by DIGITS. The digits of a UUID do
# not match, because they follow a quote.
_INEXACT = re.compile(rb":0(?:0{15}|0*e)")
_SURROGATE = re.compile("[\ud800-\udfff]")
# The limit of Python and Pydantic for one integer.
_MAX_DIGITS = 4300
_NOT_JSON = "must be a number that JSON can represent"

_Parse = Callable[[str], object]


class ExactFloat(float):
    """A float with its original text. `Decimal` fields use the text, which has all digits."""

    # Without a dict per number, parsing takes half the time.
    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Parse the text."""
        number = float.__new__(cls, text)
        number.text = text
        return number


class JsonRequest(Request):
    """A request with limits for its JSON body."""

    _parsed: tuple[Any] | None = None

    async def json(self) -> Any:
        """Return the parsed body. Raises RequestTooLarge and Invalid."""
        if self._parsed is None:
            self._parsed = (parse(await self.body(), self.app.http.body_values),)
            # Error handlers search it for the field of a column.
            self.scope["app.body"] = self._parsed[0]
        return self._parsed[0]


def parse(body: bytes, limit: int) -> Any:
    """Parse a body. Raises RequestTooLarge if it has more values than the limit, else Invalid."""
    if has_more_values(body, limit):
        raise RequestTooLarge(f"The JSON body of a request is limited to {limit} values.")
    digits = (b":" + body).translate(DIGITS)
    if has_long_numbers(digits, limit):
        short = _shorter_than(LONG, "is too long to be parsed")
        _refuse(body, "has numbers that are too long", parse_int=short, parse_float=short)
    try:
        parsed = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        short = _shorter_than(_MAX_DIGITS + 1, _NOT_JSON)
        _refuse(body, f"is not valid JSON: {error}", parse_int=short)
    if _INEXACT.search(digits):
        parsed = json.loads(body, parse_float=ExactFloat)
    # Searching for one byte takes a fraction of the time.
    has_nul = b"\\" in body and rb"\u0000" in body
    if has_nul and (problems := list(islice(_unstorable(parsed), MAX_ERRORS))):
        raise Invalid("The request is not valid.", *problems)
    return parsed


def has_long_numbers(digits: bytes, limit: int) -> bool:
    """Return whether the long numbers of JSON are too long to be parsed.

    `digits` is the body, translated by DIGITS, with at most `limit` values.
    """
    most = MAX_PARSED // LONG
    if digits.count(_LONG_NUMBER) <= most:
        return False
    # Exclude strings. A value has at most two: its key and itself.
    outside = without_escapes(digits).split(b'"', 4 * limit)[::2]
    return b'"'.join(outside).count(_LONG_NUMBER) > most


def _refuse(
    body: bytes, reason: str, *, parse_int: _Parse, parse_float: _Parse = float
) -> NoReturn:
    """Raise Invalid. The error names the fields if Python can parse the body."""
    constant = _shorter_than(0, _NOT_JSON)
    try:
        parsed = json.loads(
            body, parse_int=parse_int, parse_float=parse_float, parse_constant=constant
        )
    except (ValueError, RecursionError):
        parsed = None
    problems = list(islice(_unstorable(parsed), MAX_ERRORS))
    raise Invalid(
        "The request is not valid.", *(problems or [FieldProblem(field="body", message=reason)])
    )


class _Rejected(str):
    """The error message for a rejected number. It replaces the number in the parsed body."""


def _shorter_than(length: int, message: str) -> _Parse:
    """Return a parser that rejects long numbers, and returns 0 for all others to save time."""
    return lambda text: 0 if len(text) < length else _Rejected(message)


def _unstorable(value: Any, path: str = "body") -> Iterator[FieldProblem]:
    """Yield a problem for each value and key that PostgreSQL cannot store."""
    match value:
        case dict():
            for key, item in cast("dict[str, object]", value).items():
                if message := _message(key):
                    yield FieldProblem(field=path, message=f"a key {message}")
                else:
                    yield from _unstorable(item, f"{path}.{key}")
        case list():
            for index, item in enumerate(cast("list[object]", value)):
                yield from _unstorable(item, f"{path}.{index}")
        case _Rejected():
            yield FieldProblem(field=path, message=value)
        case str():
            if message := _message(value):
                yield FieldProblem(field=path, message=message)
        case _:
            pass


def _message(text: str) -> str | None:
    if "\x00" in text:
        return "must not contain the NUL character"
    return "must not contain half of a surrogate pair" if _SURROGATE.search(text) else None
