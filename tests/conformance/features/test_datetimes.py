"""Datetimes are stored unchanged or rejected; the service never assumes a time zone."""

from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import DateTime, bindparam, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.writes.copy import copy_rows
from tests.conformance.features.datetimes.models import Appointment

NAIVE = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001 - naive on purpose
AWARE = datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=2)))

INVALID: list[dict[str, Any]] = [
    {"aware": NAIVE},
    {"precise": NAIVE},
    {"local": AWARE},
    {"opens": time(9, 30, tzinfo=UTC)},
    {"opens_in_zone": time(9, 30)},
    {"dates": [AWARE, NAIVE]},
    {"period": Range(NAIVE, None)},
    {"period": Range(None, NAIVE)},
    {"periods": [Range(AWARE, None), Range(None, NAIVE)]},
    {"local_periods": [Range(AWARE, None)]},
]
VALID: list[dict[str, Any]] = [
    {"aware": AWARE},
    {"precise": AWARE},
    {"local": NAIVE},
    {"opens": time(9, 30)},
    {"opens_in_zone": time(9, 30, tzinfo=UTC)},
    {"dates": [AWARE]},
    {"period": Range(AWARE, None)},
    {"period": Range(empty=True)},
    {"periods": [Range(AWARE, None)]},
    {"local_periods": [Range(None, NAIVE)]},
    {"period": None, "periods": None, "aware": None},
]


@pytest.mark.parametrize("values", INVALID)
async def test_value_with_wrong_time_zone_awareness_is_rejected(
    session: AsyncSession, values: dict[str, Any]
) -> None:
    with pytest.raises(StatementError, match="UTC offset"):
        await session.execute(insert(Appointment).values(values))
    with pytest.raises(StatementError, match="UTC offset"):
        await session.execute(update(Appointment).values(values))
    ((name, value),) = values.items()
    with pytest.raises(StatementError, match="UTC offset"):
        await session.execute(select(Appointment).where(getattr(Appointment, name) == value))
    with pytest.raises(StatementError, match="UTC offset"):
        await copy_rows(session, Appointment, [values])


@pytest.mark.parametrize("values", VALID)
async def test_value_with_right_time_zone_awareness_is_stored(
    session: AsyncSession, values: dict[str, Any]
) -> None:
    session.add(appointment := Appointment(**values))
    await session.flush()
    await session.refresh(appointment)

    assert {name: getattr(appointment, name) for name in values} == values


async def test_untyped_parameter_requires_utc_offset(session: AsyncSession) -> None:
    statement = text("SELECT CAST(:at AS timestamptz)")
    with pytest.raises(StatementError, match="UTC offset"):
        await session.scalar(statement, {"at": NAIVE})
    assert await session.scalar(statement, {"at": AWARE}) == AWARE
    local = text("SELECT CAST(:at AS timestamp)").bindparams(bindparam("at", type_=DateTime()))
    assert await session.scalar(local, {"at": NAIVE}) == NAIVE


async def test_endpoint_rejects_naive_datetime_with_422(
    client: AsyncClient,
) -> None:
    response = await client.post("/conformance/appointments", params={"at": NAIVE.isoformat()})

    assert response.status_code == 422
    assert "UTC offset" in response.json()["detail"]
