"""Points in time, as requests carry them."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        # The first and last hours of the calendar have no counterpart in UTC.
        raise ValueError("is outside the calendar") from None


# With an offset, always: a time without one would mean whatever the server's clock is set to.
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
