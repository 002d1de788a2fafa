"""Cursor pages contain every row once and in order, for every type that PostgreSQL sorts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, Integer, column, delete, func, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.queries.keyset import CursorPosition, InvalidCursor, encode_cursor
from app.kit.queries.pagination import CursorPageResult, CursorQuery
from app.kit.queries.sorting import SortOrder, order_by
from tests.conformance.features.sorting.models import SortSample
from tests.conformance.support.keyset import read_keyset_page

# PostgreSQL literals, because the driver cannot encode all of these values.
TIMES = [
    "-infinity",
    "4713-01-01 BC",
    "0044-03-15 12:00:00.5 BC",
    "0001-01-01 00:00:00",
    "2026-11-28 07:00:00.123456",
    "2026-11-28 07:00:00.123457",
    "9999-12-31 23:59:59.999999",
    "10000-01-01",
    "infinity",
]
FLOATS = ["-Infinity", "-1.5", "0", "-0", "0.1", "0.30000000000000004", "1e-30", "Infinity", "NaN"]
TEXTS = ["", " ", "a", "A", "á", "B", "ß", "'; --", '"', "\\", "\n\t", "\u2028", "😀", "{}", "NULL"]
VALUES = {
    "small": ["-32768", "0", "32767"],
    "whole": ["-2147483648", "0", "2147483647"],
    "big": ["-9223372036854775808", "0", "9223372036854775807"],
    "real": FLOATS,
    "inexact": [*FLOATS, "5e-324", "1.7976931348623157e308"],
    "double": [*FLOATS, "5e-324", "1.7976931348623157e308"],
    "exact": ["-Infinity", "0", "0.0", "0." + "1" * 60, "9" * 80, "Infinity", "NaN"],
    "money": ["NaN", "-0.01", "0", "9999999999.99"],
    "flag": ["false", "true"],
    "words": [*TEXTS, "long" * 3000, "long" * 3000 + "er", "ü" * 5000],
    "name": TEXTS,
    "code": ["", "a", "b  ", "abcd", "é"],
    "posix": TEXTS,
    "email": [*TEXTS, "Á"],
    "mood": ["c", "a", "b"],
    "level": ["HIGH", "LOW"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "raw": ["", "\\x00", "\\x0000", "\\xff", "\\x5c27"],
    "day": [time.partition(" ")[0] + " BC" * time.endswith(" BC") for time in TIMES[1:]]
    + ["infinity", "-infinity"],
    "moment": TIMES,
    "local": TIMES,
    "clock": ["00:00", "12:30:15.000001", "23:59:59.999999", "24:00"],
    "zoned": ["00:00+00", "02:00+02", "24:00-15:59:59", "00:00+15:59:59"],
    "lasts": [
        "0",
        "1 day",
        "24 hours",
        "-1 year 2 mons -3 days 04:05:06.7",
        "infinity",
        "100000 years",
    ],
    "numbers": ["{}", "{NULL}", "{1,NULL}", "{1,2}", "{{1,2},{3,4}}"],
    "texts": ["{}", '{""}', '{"NULL"}', "{NULL}", '{"a,b","\\"{"}'],
    "reals": ["{NaN}", "{Infinity,0.1}", "{0.30000000000000004}"],
    "moments": ["{infinity}", '{"0044-03-15 BC"}', '{"2026-01-01 00:00:00.000001+00"}'],
    "document": ["null", "1.0", "1.00", '"a"', "[]", "{}", '{"a": [1, {"b": "\\\\"}]}', "true"],
    "address": ["10.0.0.1", "10.0.0.1/8", "::1"],
    "network": ["10.0.0.0/8", "::/0"],
    "device": ["08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"],
    "bits": ["0000", "0101", "1111"],
    "between": ["empty", "[1,3)", "(,5)", "[2,)"],
    "terms": ["", "'a':1 'b':2", "'it''s'"],
}
CASES = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.tuples(
        st.just(name), st.lists(st.none() | st.sampled_from(VALUES[name]), max_size=9)
    )
)


async def store(session: AsyncSession, name: str, values: Sequence[str | None]) -> None:
    await session.execute(delete(SortSample))
    table: Any = SortSample.__table__
    kind = table.c[name].type.compile(dialect=(await session.connection()).dialect)
    kind = kind.partition(" COLLATE")[0]
    await session.execute(
        text(
            f"INSERT INTO {table.name} ({name})"
            f" SELECT CAST(value AS {kind}) FROM unnest(CAST(:values AS TEXT[])) AS value"
        ),
        {"values": values},
    )


async def page(
    session: AsyncSession, by: SortOrder, limit: int, cursor: str | None
) -> CursorPageResult[SortSample]:
    query = CursorQuery(limit=limit, cursor=cursor)
    return await read_keyset_page(session, query, select(SortSample), by)


async def follow(
    session: AsyncSession,
    by: SortOrder,
    limit: int,
    start: CursorPageResult[SortSample],
    direction: str,
) -> list[CursorPageResult[SortSample]]:
    pages = [start]
    while cursor := getattr(pages[-1], direction):
        assert len(cursor) <= 8000
        pages.append(await page(session, by, limit, cursor))
        assert len(pages) < 100
    return pages


def orders(name: str) -> list[SortOrder]:
    value = getattr(SortSample, name)
    return [
        order_by(value.asc().nulls_last(), tiebreaker=SortSample.number),
        order_by(value.desc().nulls_last(), tiebreaker=SortSample.number),
        order_by(value.desc().nulls_first(), tiebreaker=SortSample.rank),
        order_by(value.asc().nulls_first(), SortSample.rank.desc(), tiebreaker=SortSample.number),
    ]


@pytest.mark.parametrize("name", sorted(VALUES))
async def test_pages_of_every_sortable_type_contain_all_rows(
    session: AsyncSession, name: str
) -> None:
    await store(session, name, [None, *VALUES[name], *VALUES[name][:3], None])
    for by in orders(name):
        expected = list(await session.scalars(select(SortSample.number).order_by(*by.clauses)))
        forward = await follow(session, by, 2, await page(session, by, 2, None), "next")
        assert [row.number for one in forward for row in one.items] == expected
        back = await follow(session, by, 2, forward[-1], "previous")
        assert [row.number for one in back[::-1] for row in one.items] == expected


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=CASES, order_index=st.integers(0, 3), limit=st.integers(1, 4))
async def test_pages_of_random_rows_contain_all_rows(
    session: AsyncSession, case: tuple[str, list[str | None]], order_index: int, limit: int
) -> None:
    name, values = case
    await store(session, name, values)
    by = orders(name)[order_index]
    expected = list(await session.scalars(select(SortSample.number).order_by(*by.clauses)))
    forward = await follow(session, by, limit, await page(session, by, limit, None), "next")
    assert [row.number for one in forward for row in one.items] == expected
    back = await follow(session, by, limit, forward[-1], "previous")
    assert [row.number for one in back[::-1] for row in one.items] == expected


async def test_expressions_are_compared_without_their_columns_precision(
    session: AsyncSession,
) -> None:
    await store(session, "money", ["0.10", "0.20", "0.30", "9999999999.99"])
    for term in (
        SortSample.money / 3,
        SortSample.money * SortSample.money,
        func.coalesce(SortSample.money, 0),
    ):
        by = order_by(term.asc().nulls_last(), tiebreaker=SortSample.number)
        found = await follow(session, by, 1, await page(session, by, 1, None), "next")
        assert len(found) == 4
    await store(session, "name", ["x" * 20, "y" * 20])
    by = order_by(
        (SortSample.name + SortSample.name).desc().nulls_last(), tiebreaker=SortSample.number
    )
    assert len(await follow(session, by, 1, await page(session, by, 1, None), "next")) == 2


async def test_forged_cursor_is_rejected_for_every_type(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def any_digest(*_: object) -> str:
        return "0"

    monkeypatch.setattr("app.kit.queries.keyset._digest", any_digest)
    for name in sorted(
        VALUES.keys() - {"words", "name", "code", "posix", "email", "level", "terms", "raw"}
    ):
        await store(session, name, VALUES[name])
        for by in orders(name)[:2]:
            position = CursorPosition(("{{[no value 99:99", "1"))
            forged = encode_cursor(position, CursorQuery().scope())
            async with session.begin_nested() as savepoint:
                with pytest.raises(InvalidCursor):
                    await page(session, by, 1, forged)
                await savepoint.rollback()


async def test_cursor_of_a_deleted_row_with_long_value_is_rejected(session: AsyncSession) -> None:
    await store(session, "words", VALUES["words"])
    by = order_by(SortSample.words.desc().nulls_last(), tiebreaker=SortSample.number)
    first = await page(session, by, len(TEXTS) + 2, None)
    deleted = [row.number for row in first.items if len(row.words or "") > 1000]
    long = next(
        number
        for number in range(1, len(first.items) + 1)
        if first.items[number - 1].number in deleted
    )
    at_long = await page(session, by, long, None)
    await session.execute(delete(SortSample).where(SortSample.number.in_(deleted)))
    with pytest.raises(InvalidCursor):
        await page(session, by, 1, at_long.next)


@pytest.mark.parametrize(
    "term",
    [
        column("document", JSON).asc().nulls_last(),
        literal_column("now()").desc().nulls_last(),
    ],
)
def test_unsortable_type_is_rejected(term: Any) -> None:
    with pytest.raises(TypeError, match=r"(document|now\(\)): PostgreSQL does not sort"):
        order_by(term, tiebreaker=SortSample.number)


def test_sort_term_without_direction_is_rejected() -> None:
    with pytest.raises(TypeError, match=r"Add \.asc\(\) or \.desc\(\)"):
        order_by(SortSample.whole, tiebreaker=SortSample.number)  # type: ignore[arg-type]  # wrong on purpose


async def test_sort_key_has_its_direction_in_a_term(session: AsyncSession) -> None:
    with pytest.raises(TypeError, match=r"Pass .*number DESC as a term"):
        order_by(tiebreaker=SortSample.number.desc())  # type: ignore[arg-type]  # wrong on purpose
    await store(session, "whole", ["1", "2", "3"])
    by = order_by(SortSample.number.desc(), tiebreaker=SortSample.number)
    pages = await follow(session, by, 1, await page(session, by, 1, None), "next")
    assert [row.whole for one in pages for row in one.items] == [3, 2, 1]


def test_sort_key_that_is_not_unique_is_rejected() -> None:
    with pytest.raises(TypeError, match="not unique"):
        order_by(tiebreaker=SortSample.whole)


async def test_unexpected_null_is_reported(session: AsyncSession) -> None:
    await store(session, "whole", [None, "1"])
    by = order_by(
        func.abs(SortSample.whole, type_=Integer).asc().nulls_last(), tiebreaker=SortSample.number
    )
    wrong = SortOrder((replace(by.keys[0], nulls_first=None), by.keys[1]))
    with pytest.raises(TypeError, match="is NULL in a row"):
        await page(session, wrong.reversed(), 1, None)
