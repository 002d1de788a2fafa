"""OpenTelemetry tracing: one span per request and per SQL statement, exported over OTLP.

FastAPI creates the spans of requests, and the instrumentation of asyncpg those of statements.
Configure the exporter with the environment variables of the OpenTelemetry SDK (`OTEL_…`). Without
an endpoint, no spans are created.
"""

from asyncio import to_thread
from importlib import import_module
from threading import Thread
from typing import Any, Self

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.kit.http.asgi import is_health_path

# Seconds to send the last spans at shutdown. The SDK itself has no limit.
PATIENCE = 3


class _Environment(BaseSettings):
    # Not from `.env`, which the SDK does not read either.
    model_config = SettingsConfigDict(env_prefix="OTEL_", env_ignore_empty=True, extra="ignore")

    exporter_otlp_endpoint: str | None = None
    exporter_otlp_traces_endpoint: str | None = None
    sdk_disabled: bool = False


def exporter() -> SpanExporter | None:
    """Return the exporter of spans, or None if no endpoint is set."""
    given = _Environment()
    endpoint = given.exporter_otlp_traces_endpoint or given.exporter_otlp_endpoint
    return OTLPSpanExporter() if endpoint and not given.sdk_disabled else None


class Tracing:
    """The tracing configuration of FastAPI, and the provider to shut down with the process."""

    def __init__(self, provider: TracerProvider | None) -> None:
        self._provider = provider
        self.telemetry: TelemetryConfig = {
            "tracing": provider is not None,
            "tracer_provider": provider,
            # Prometheus collects the metrics, and logs go to standard error.
            "metrics": False,
            "logs": False,
            # Three more spans per request, for the internal steps of FastAPI.
            "operation_spans": False,
            "exclude": is_health_path,
        }

    @classmethod
    def from_settings(cls, name: str) -> Self:
        """Return the configuration for a service. `OTEL_SERVICE_NAME` overrides the name."""
        span_exporter = exporter()
        if span_exporter is None:
            return cls(None)
        named = Resource.create({SERVICE_NAME: name}).merge(OTELResourceDetector().detect())
        provider = TracerProvider(resource=named)
        provider.add_span_processor(_RequestSpans(span_exporter))
        # The default provider, so that your code can use `trace.get_tracer(__name__)`.
        trace.set_tracer_provider(provider)
        _driver().instrument(tracer_provider=_ProviderWithoutErrors(provider))
        return cls(provider)

    async def close(self) -> None:
        """Send the remaining spans. Give up after PATIENCE if the collector does not respond."""
        if self._provider:
            _driver().uninstrument()
            sending = Thread(target=self._provider.shutdown, daemon=True)
            sending.start()
            await to_thread(sending.join, PATIENCE)


def _driver() -> Any:
    # Imported without types, because the package has none. The class is a singleton. Its spans
    # contain the text of statements, but no parameters.
    return import_module("opentelemetry.instrumentation.asyncpg").AsyncPGInstrumentor()


class _RequestSpans(BatchSpanProcessor):
    # Drop statements outside of a request, such as the readiness check every second.
    def on_end(self, span: ReadableSpan) -> None:
        from_driver = span.instrumentation_scope and "asyncpg" in span.instrumentation_scope.name
        if span.parent or not from_driver:
            super().on_end(span)


class _ProviderWithoutErrors(trace.TracerProvider):
    # Omits exceptions from spans, because database errors contain values of rows.
    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    def get_tracer(self, *arguments: Any, **options: Any) -> trace.Tracer:
        return _TracerWithoutErrors(self._provider.get_tracer(*arguments, **options))


class _TracerWithoutErrors(trace.Tracer):
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def start_span(self, *arguments: Any, **options: Any) -> trace.Span:
        return self._tracer.start_span(*arguments, **options)

    def start_as_current_span(self, *arguments: Any, **options: Any) -> Any:
        quiet = {"record_exception": False, "set_status_on_exception": False}
        return self._tracer.start_as_current_span(*arguments, **options | quiet)


def _add_trace_ids(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    # Log collectors use these names to link log events to traces.
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


# structlog processors that add trace ids to log events.
LOG_PROCESSORS: tuple[Any, ...] = (_add_trace_ids,)


def set_span_attribute(name: str, value: str) -> None:
    """Set an attribute of the current span."""
    trace.get_current_span().set_attribute(name, value)
