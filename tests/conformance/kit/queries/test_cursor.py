"""Cursors are decoded only for the list that they were encoded for."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, MetaData, String, Table, Uuid

from app.kit.queries.keyset import CursorPosition, InvalidCursor, decode_cursor, encode_cursor
from app.kit.queries.sorting import SortKey, SortOrder

COLUMNS = Table(
    "sorted_rows",
    MetaData(),
    Column("id", Uuid(), primary_key=True),
    Column("count", Integer()),
    Column("total", BigInteger()),
    Column("flag", Boolean()),
    Column("word", String(200)),
    Column("moment", DateTime(timezone=True)),
).columns
ORDER = SortOrder(
    tuple(SortKey(column, False, None if column.primary_key else True) for column in COLUMNS)
)
# PostgreSQL's text format.
VALUES = (
    "00000000-0000-0000-0000-000000000007",
    "2",
    "3",
    "true",
    "ß'; --",
    "2026-01-02 03:04:05.000006+00",
)
SCOPE = 'Feed{"sort":"newest"}'


def forged(position: int, value: Any) -> str:
    """Return a cursor with one value replaced and its digest unchanged."""
    padded = encode_cursor(CursorPosition(VALUES), SCOPE) + "=="
    content = json.loads(urlsafe_b64decode(padded))
    content[2][position] = value
    return urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize("values", [VALUES, (VALUES[0], None, None, None, None, None), None])
@pytest.mark.parametrize("backward", [False, True])
def test_cursor_is_decoded_as_encoded(values: tuple[Any, ...] | None, backward: bool) -> None:
    position = CursorPosition(values, backward)
    assert decode_cursor(encode_cursor(position, SCOPE), SCOPE, ORDER) == position


def test_cursor_of_another_list_sort_or_filter_is_rejected() -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(encode_cursor(CursorPosition(VALUES), SCOPE), SCOPE + "!", ORDER)


def test_modified_or_truncated_cursor_is_rejected() -> None:
    cursor = encode_cursor(CursorPosition(VALUES), SCOPE)
    for index in range(len(cursor)):
        with pytest.raises(InvalidCursor):
            decode_cursor(cursor[:index], SCOPE, ORDER)
        other = "A" if cursor[index] != "A" else "B"
        changed = cursor[:index] + other + cursor[index + 1 :]
        # The last character may contain padding bits.
        if index < len(cursor) - 1:
            with pytest.raises(InvalidCursor):
                decode_cursor(changed, SCOPE, ORDER)


@given(st.one_of(st.text(max_size=50), st.binary(max_size=50).map(lambda b: b.decode("latin-1"))))
def test_arbitrary_text_is_rejected(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor, SCOPE, ORDER)


@given(st.integers(0, 5), st.recursive(st.none() | st.text() | st.floats(), st.lists))
def test_cursor_with_replaced_value_is_rejected(position: int, value: Any) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(forged(position, value), SCOPE, ORDER)


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, None),
        (0, False),
        (1, 2),
        (1, 2.0),
        (2, 10**400),
        (3, [True]),
        (4, "a\x00b"),
        (4, "\ud800"),
        (5, {}),
    ],
)
def test_value_that_is_not_text_is_rejected_despite_valid_digest(
    position: int, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A client that knows the code can compute a valid digest.
    digest = json.loads(urlsafe_b64decode(encode_cursor(CursorPosition(VALUES), SCOPE) + "=="))[3]

    def valid_digest(*_: object) -> str:
        return str(digest)

    monkeypatch.setattr("app.kit.queries.keyset._digest", valid_digest)
    assert decode_cursor(forged(4, "other"), SCOPE, ORDER).values != VALUES
    with pytest.raises(InvalidCursor):
        decode_cursor(forged(position, value), SCOPE, ORDER)
