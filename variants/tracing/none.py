"""Tracing is disabled in this service."""

from typing import Any, Self

from fastapi.telemetry import TelemetryConfig

# structlog processors that add trace ids to log events: none.
LOG_PROCESSORS: tuple[Any, ...] = ()


class Tracing:
    """The tracing configuration of FastAPI: everything is off."""

    def __init__(self) -> None:
        # Explicitly off: by default, FastAPI looks for a provider at each request.
        self.telemetry: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}

    @classmethod
    def from_settings(cls, _name: str) -> Self:
        """Return the configuration for a service."""
        return cls()

    async def close(self) -> None:
        """Do nothing: there are no spans to send."""


def set_span_attribute(_name: str, _value: str) -> None:
    """Do nothing: there is no span."""
