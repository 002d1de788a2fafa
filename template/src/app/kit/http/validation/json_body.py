"""Request bodies: media types, limits before parsing, and text that PostgreSQL cannot store."""

import json
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import islice
from typing import Any, Self, TypeAlias, cast

from fastapi import HTTPException, Request
from pydantic_core import from_json
from starlette.datastructures import UploadFile
from starlette.types import Scope

from app.kit.errors.problems import MAX_ERRORS, FieldProblem, Invalid
from app.kit.http.asgi import header
from app.kit.http.middleware.request_limits import RequestTooLarge

_JSON = re.compile(r"application/(?:[^\s;/]+\+)?json", re.IGNORECASE)
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_FORMS = (_FORM, _MULTIPART)
_UTF_8 = re.compile(r';\s*charset="?utf-8"?\s*(?=;|$)', re.IGNORECASE)
# Only endpoints that declare one of these types check the type of a request.
CHECKED_TYPES = frozenset({"application/json", *_FORMS})

# Translates every character of a number to 0, the exponent to `e`, and the characters that may
# precede a number to a colon: `[1.5,2e3]` becomes `:000:0e0]`. Searching the result is faster than
# a complex regular expression.
_DIGITS = bytes.maketrans(b"123456789.+-E,[ \t\n\r", b"0" * 12 + b"e" + b":" * 6)
# A number that a float may not represent exactly, as translated by _DIGITS. The digits of a UUID do
# not match, because they follow a quote.
_INEXACT = re.compile(rb":0(?:0{15}|0*e)")
# A number of this many characters is long.
LONG = 40
# Total characters of the long numbers of a body. The time to parse an integer grows with the square
# of its length. The longest number of PostgreSQL has 147,455 digits.
MAX_LONG_NUMBERS = 200_000
# Digits of the longest integer that Pydantic parses.
_MAX_DIGITS = 4300
_SURROGATE = re.compile("[\ud800-\udfff]")

Location: TypeAlias = tuple[int | str, ...]


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


class Rejected(str):
    """The error message for a rejected number. It replaces the number in a parsed body."""


def check_media_type(declared: str, scope: Scope) -> None:
    """Raise HTTPException if an endpoint with this media type does not accept the body."""
    content_type = header(scope, b"content-type")
    media_type = content_type.partition(";")[0].strip().lower()
    headers = {"Accept": ", ".join(_FORMS)}
    if is_compressed(scope):
        headers = {"Accept-Encoding": "identity"}
        detail = "Send the body without compression, and without the header Content-Encoding."
    elif _JSON.fullmatch(declared) and not _JSON.fullmatch(media_type):
        headers = {"Accept": "application/json"}
        detail = "Send the body as JSON, with the header Content-Type: application/json."
    elif declared == _FORM and media_type not in _FORMS:
        detail = f"Send the body as a form, with the header Content-Type: {_FORM}."
    elif declared == _MULTIPART and media_type != _MULTIPART:
        headers = {"Accept": _MULTIPART}
        detail = f"Send the body as a form of the type {_MULTIPART}."
    elif declared in _FORMS and "charset" in _UTF_8.sub("", content_type).lower():
        # Decoding with other codecs of Python may take minutes, or not return text.
        detail = "Send the form in UTF-8, without another charset."
    else:
        # An endpoint with another declared type checks the body itself.
        return
    raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, headers)


def is_compressed(scope: Scope) -> bool:
    """Return whether the body of a request has a content coding, which the service cannot read."""
    return header(scope, b"content-encoding").lower() not in ("", "identity")


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
    """Parse a body. Raises RequestTooLarge, or Invalid for malformed JSON and unstorable text."""
    if count_values(body, limit) > limit:
        raise RequestTooLarge(f"The JSON body of a request is limited to {limit} values.")
    digits = (b":" + body).translate(_DIGITS)
    # Searching for one byte first takes a fraction of the time.
    has_nul = b"\\" in body and rb"\u0000" in body
    # A long number contains at least one of these runs of digits per LONG characters.
    is_suspect = has_nul or digits.count(b"0" * LONG) > MAX_LONG_NUMBERS // LONG
    message = parsed = None
    problems: list[FieldProblem] = []
    try:
        parsed = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        message, is_suspect = f"is not valid JSON: {error}", True
    if is_suspect or _INEXACT.search(digits):
        # Python's parser is slower, but it can keep the text of numbers, and accepts text that is
        # not valid Unicode. So the errors can name fields.
        try:
            parsed = json.loads(
                body.decode(),
                parse_float=_limited(ExactFloat) if is_suspect else ExactFloat,
                parse_int=_limited(int) if is_suspect else int,
                parse_constant=lambda _: Rejected("must be a number that JSON can represent"),
            )
            if is_suspect:
                found = islice(find_unstorable(parsed, ("body",)), MAX_ERRORS)
                problems = [FieldProblem.at(*each) for each in found]
        except (ValueError, RecursionError) as error:
            message = message or f"is not valid JSON: {error}"
    if message and not problems:
        problems = [FieldProblem(field="body", message=message)]
    if problems:
        raise Invalid("The request is not valid.", *problems)
    return parsed


def _limited(parse_number: Callable[[str], object]) -> Callable[[str], object]:
    """Return a parser that limits the total length of long numbers."""
    left = MAX_LONG_NUMBERS

    def parse_limited(text: str) -> object:
        nonlocal left
        left -= len(text) if len(text) >= LONG else 0
        # Also if a process has raised Python's limit, because Pydantic has the same limit.
        is_too_long = left < 0 or (parse_number is int and len(text.lstrip("-")) > _MAX_DIGITS)
        return Rejected("is too long to be parsed") if is_too_long else parse_number(text)

    return parse_limited


def count_values(body: bytes, limit: int) -> int:
    """Return how many values JSON has, objects and lists included.

    A result up to the limit may be too large. A result above it means that the limit is exceeded.
    """
    # Fast: count the bytes that can start a value. Strings may contain them too.
    count = _count_starts(body)
    if count < limit:
        return count + 1
    if b"\\" in body:
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    # A value has at most two strings: its key and itself.
    parts = body.split(b'"', 4 * limit + 1)
    return limit + 1 if len(parts) > 4 * limit + 1 else _count_starts(b"".join(parts[::2])) + 1


def _count_starts(body: bytes) -> int:
    return len(body) - len(body.translate(None, b",[{"))


def find_unstorable(value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    """Yield the location of each value and key that PostgreSQL cannot store, and a message."""
    match value:
        case Rejected():
            yield location, value
        case str():
            if message := _message(value):
                yield location, message
        case dict():
            for key, item in cast("dict[str, object]", value).items():
                if message := _message(key):
                    yield location, f"a key {message}"
                else:
                    yield from find_unstorable(item, (*location, key))
        case list():
            for index, item in enumerate(cast("list[object]", value)):
                yield from find_unstorable(item, (*location, index))
        case UploadFile():
            yield from find_unstorable(value.filename, (*location, "filename"))
        case _:
            pass


def _message(text: str) -> str | None:
    if "\x00" in text:
        return "must not contain the NUL character"
    has_surrogate = not text.isascii() and _SURROGATE.search(text)
    return "must not contain half of a surrogate pair" if has_surrogate else None
