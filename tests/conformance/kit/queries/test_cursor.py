"""A cursor is read back as it was written, for the same list, and in no other case."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, MetaData, String, Table, Uuid

from app.kit.cursor import BadCursor, Place, decode, encode
from app.kit.db.sorting import Order, SortKey

COLUMNS = Table(
    "of_this_test",
    MetaData(),
    Column("id", Uuid(), primary_key=True),
    Column("count", Integer()),
    Column("total", BigInteger()),
    Column("flag", Boolean()),
    Column("word", String(200)),
    Column("moment", DateTime(timezone=True)),
).columns
TYPES = Order(
    tuple(SortKey(column, False, None if column.primary_key else True) for column in COLUMNS)
).types
# As PostgreSQL writes them.
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
    """A cursor with one value replaced and the digest left as it was."""
    padded = encode(Place(VALUES), SCOPE, TYPES) + "=="
    content = json.loads(urlsafe_b64decode(padded))
    content[2][position] = value
    return urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize("values", [VALUES, (VALUES[0], None, None, None, None, None), None])
@pytest.mark.parametrize("backward", [False, True])
def test_a_cursor_is_read_back_as_it_was_written(
    values: tuple[Any, ...] | None, backward: bool
) -> None:
    place = Place(values, backward)
    assert decode(encode(place, SCOPE, TYPES), SCOPE, TYPES) == place


def test_a_cursor_of_another_list_sort_or_filter_is_refused() -> None:
    with pytest.raises(BadCursor):
        decode(encode(Place(VALUES), SCOPE, TYPES), SCOPE + "!", TYPES)


def test_a_cursor_with_any_character_changed_or_missing_is_refused() -> None:
    cursor = encode(Place(VALUES), SCOPE, TYPES)
    for place in range(len(cursor)):
        with pytest.raises(BadCursor):
            decode(cursor[:place], SCOPE, TYPES)
        other = "A" if cursor[place] != "A" else "B"
        changed = cursor[:place] + other + cursor[place + 1 :]
        # The last character may carry bits that are not part of the content.
        if place < len(cursor) - 1:
            with pytest.raises(BadCursor):
                decode(changed, SCOPE, TYPES)


@given(st.one_of(st.text(max_size=50), st.binary(max_size=50).map(lambda b: b.decode("latin-1"))))
def test_garbage_is_refused(garbage: str) -> None:
    with pytest.raises(BadCursor):
        decode(garbage, SCOPE, TYPES)


@given(st.integers(0, 5), st.recursive(st.none() | st.text() | st.floats(), st.lists))
def test_a_value_that_was_not_written_is_refused(position: int, value: Any) -> None:
    with pytest.raises(BadCursor):
        decode(forged(position, value), SCOPE, TYPES)


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
def test_a_value_that_is_no_text_is_refused_even_with_the_right_digest(
    position: int, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who knows the code can make a digest that fits.
    digest = json.loads(urlsafe_b64decode(encode(Place(VALUES), SCOPE, TYPES) + "=="))[3]

    def that_fits(*_: object) -> str:
        return str(digest)

    monkeypatch.setattr("app.kit.cursor._digest", that_fits)
    assert decode(forged(4, "other"), SCOPE, TYPES).values != VALUES
    with pytest.raises(BadCursor):
        decode(forged(position, value), SCOPE, TYPES)
