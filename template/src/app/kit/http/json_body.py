"""JSON bodies: limited before they are parsed, without text that PostgreSQL cannot store."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn, Self, cast

from fastapi import Request
from pydantic_core import from_json

from app.kit.errors import MAX_ERRORS, FieldProblem, Invalid
from app.kit.http.admission import TooLarge
from app.kit.http.bounds import DIGITS, has_long_numbers, has_more_values

# Numbers that a float may not represent exactly, after the translation by DIGITS.
_INEXACT = (b"0" * 16, b"0e0")
_SURROGATE = re.compile("[\ud800-\udfff]")
# The limit of Python and Pydantic for one integer.
_MAX_DIGITS = 4300


class ExactFloat(float):
    """A number with its text, which fields of type `Decimal` need for digits that a float loses."""

    # Without a dict for each number, a body of many is parsed in half the time.
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
        """Return the parsed body. Raises TooLarge and Invalid."""
        if self._parsed is None:
            self._parsed = (parse(await self.body(), self.app.http.body_values),)
            # Error handlers find the field for a column in it.
            self.scope["app.body"] = self._parsed[0]
        return self._parsed[0]


def parse(body: bytes, limit: int) -> Any:
    """Parse a body. Raises TooLarge if it has more values than the limit, else Invalid."""
    if has_more_values(body, limit):
        raise TooLarge(f"The JSON body of a request has at most {limit} values.")
    digits = body.translate(DIGITS)
    if has_long_numbers(digits, limit):
        problem = FieldProblem(field="body", message="has numbers that are too long to be parsed")
        raise Invalid("The request is not valid.", problem)
    try:
        parsed = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        _refuse_unreadable(body, str(error))
    if any(number in digits for number in _INEXACT):
        parsed = json.loads(body, parse_float=ExactFloat)
    if rb"\u0000" in body and (problems := list(islice(_unstorable(parsed), MAX_ERRORS))):
        raise Invalid("The request is not valid.", *problems)
    return parsed


def _refuse_unreadable(body: bytes, reason: str) -> NoReturn:
    """Raise Invalid. It names the fields if Python can parse the body."""
    try:
        parsed = json.loads(body, parse_int=_integer, parse_constant=_Unreadable)
    except (ValueError, RecursionError):
        parsed = None
    problems = list(islice(_unstorable(parsed), MAX_ERRORS))
    problems = problems or [FieldProblem(field="body", message=f"is not valid JSON: {reason}")]
    raise Invalid("The request is not valid.", *problems)


class _Unreadable(str):
    """A number that is too long, or that JSON does not have."""


def _integer(text: str) -> int | _Unreadable:
    return int(text) if len(text) <= _MAX_DIGITS else _Unreadable()


def _unstorable(value: Any, path: str = "body") -> Iterator[FieldProblem]:
    """Yield the values and keys that PostgreSQL cannot store."""
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
        case _Unreadable():
            yield FieldProblem(field=path, message="must be a number that JSON can represent")
        case str():
            if message := _message(value):
                yield FieldProblem(field=path, message=message)
        case _:
            pass


def _message(text: str) -> str | None:
    if "\x00" in text:
        return "must not contain the NUL character"
    return "must not contain half of a surrogate pair" if _SURROGATE.search(text) else None
