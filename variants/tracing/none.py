"""Traces: this service sends none."""

from typing import Any, Self

from fastapi.telemetry import TelemetryConfig

# What a line of the log is told about the trace it belongs to.
LOG_PROCESSORS: tuple[Any, ...] = ()


class Tracing:
    """What FastAPI is told about traces, and what has to end with the process."""

    def __init__(self) -> None:
        # FastAPI would look for somebody to tell with each request.
        self.telemetry: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}

    @classmethod
    def of(cls, _name: str) -> Self:
        """The traces of a service of this name."""
        return cls()

    async def close(self) -> None:
        """Send what is not sent yet."""
