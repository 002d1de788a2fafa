"""JSON from PostgreSQL is parsed without loss; see also example/test_newest.py."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Date, DateTime, Numeric, cast, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.queries.compiled.json_sql import json_list


async def test_decimals_are_strings(session: AsyncSession) -> None:
    price = Decimal("12345678901234567.100000000001")
    column = literal(price, Numeric(30, 12)).label("price")
    result = await session.scalar(select(json_list(select(column))))
    assert result == [{"price": str(price)}]


@pytest.mark.parametrize(
    ("type_", "first", "last"),
    [
        (Date, "0001-01-01", "9999-12-31"),
        (DateTime(timezone=True), "0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
async def test_infinite_dates_become_the_ends_of_the_calendar(
    session: AsyncSession, type_: Any, first: str, last: str
) -> None:
    ends = [cast(literal(f"{sign}infinity"), type_).label(sign or "+") for sign in ("-", "")]
    result = await session.scalar(select(json_list(select(*ends))))
    assert result == [{"-": first, "+": last}]
