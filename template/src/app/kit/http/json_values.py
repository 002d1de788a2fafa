"""Counting the values of JSON before it is parsed."""

import re

# Up to the character that begins the next value. Strings have no escaped quotes here, and there are
# at most two before the next value, as in `"name": "Ada",`: whatever has more is not JSON.
_NEXT = rb'[^",\[{]*+(?:"[^"]*+(?:"|\Z)[^",\[{]*+){0,2}+[,\[{]'
_NEXT_VALUE = re.compile(_NEXT)
# In one match: to match each by itself takes several times as long.
_MANY = 100
_NEXT_VALUES = re.compile(b"(?:%s){100}" % _NEXT)


def has_more_values(body: bytes, limit: int) -> bool:
    """Return whether JSON has more values than the limit, objects and lists included.

    What follows the first character that is not JSON is not counted.
    """
    # To count bytes is fast, and enough unless strings contain many commas.
    if len(body) - len(body.translate(None, b",[{")) < limit:
        return False
    if b"\\" in body:
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    count = position = 0
    for number, pattern in ((_MANY, _NEXT_VALUES), (1, _NEXT_VALUE)):
        while count < limit and (match := pattern.match(body, position)):
            count, position = count + number, match.end()
    return count >= limit
