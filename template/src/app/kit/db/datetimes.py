"""Times as the driver reads them."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect


class AwareDateTime(DateTime):
    """A time that always has its offset.

    The driver reads `infinity` and `-infinity` as the last and the first time of the calendar, and
    leaves out the offset.
    """

    render_bind_cast = True

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[datetime | None], datetime | None] | None:
        """How a value becomes what a row has."""
        return _aware if self.timezone else None


def _aware(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
