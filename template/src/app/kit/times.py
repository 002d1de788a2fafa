"""Datetimes in requests."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        # The UTC time would be before year 1 or after year 9999.
        raise ValueError("is out of range in UTC") from None


# An offset is required. Values are converted to UTC.
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
