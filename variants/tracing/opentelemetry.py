"""Traces: each request and each of its statements is a span, sent over OTLP.

The spans of requests are FastAPI's own, those of statements come from the instrumentation of the
driver, which the short ways use as sessions do. What is sent, and where to, is set by the variables
of the OpenTelemetry SDK (`OTEL_…`), which reads them itself; without an endpoint nothing is.
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

from app.kit.http.admission import is_health

# Seconds that the collector has in the end: the SDK alone would wait until the process is killed.
PATIENCE = 3


class _Environment(BaseSettings):
    # Not from `.env`: the SDK does not look there, and would send to another place than is said.
    model_config = SettingsConfigDict(env_prefix="OTEL_", env_ignore_empty=True, extra="ignore")

    exporter_otlp_endpoint: str | None = None
    exporter_otlp_traces_endpoint: str | None = None
    sdk_disabled: bool = False


def exporter() -> SpanExporter | None:
    """What sends spans, or None where no endpoint is set."""
    given = _Environment()
    endpoint = given.exporter_otlp_traces_endpoint or given.exporter_otlp_endpoint
    return OTLPSpanExporter() if endpoint and not given.sdk_disabled else None


class Tracing:
    """What FastAPI is told about traces, and what has to end with the process."""

    def __init__(self, provider: TracerProvider | None) -> None:
        self._provider = provider
        self.telemetry: TelemetryConfig = {
            "tracing": provider is not None,
            "tracer_provider": provider,
            # Metrics are for Prometheus, logs for whoever collects stderr.
            "metrics": False,
            "logs": False,
            # The parts of FastAPI's own work, three spans a request.
            "operation_spans": False,
            "exclude": is_health,
        }

    @classmethod
    def of(cls, name: str) -> Self:
        """The traces of a service of this name, which `OTEL_SERVICE_NAME` overrides."""
        sends = exporter()
        if sends is None:
            return cls(None)
        named = Resource.create({SERVICE_NAME: name}).merge(OTELResourceDetector().detect())
        provider = TracerProvider(resource=named)
        provider.add_span_processor(_OfRequests(sends))
        # For the spans of a team's own: `trace.get_tracer(__name__)`.
        trace.set_tracer_provider(provider)
        _driver().instrument(tracer_provider=_Discreet(provider))
        return cls(provider)

    async def close(self) -> None:
        """Send what is not sent yet; a collector that does not take it is not waited for."""
        if self._provider:
            _driver().uninstrument()
            sending = Thread(target=self._provider.shutdown, daemon=True)
            sending.start()
            await to_thread(sending.join, PATIENCE)


def _driver() -> Any:
    # It brings no types along. There is one in a process, however often it is made; of a statement
    # it tells the text, and no values unless it is asked to.
    return import_module("opentelemetry.instrumentation.asyncpg").AsyncPGInstrumentor()


class _OfRequests(BatchSpanProcessor):
    # Readiness asks the database every second, outside of any request that is traced.
    def on_end(self, span: ReadableSpan) -> None:
        of_driver = span.instrumentation_scope and "asyncpg" in span.instrumentation_scope.name
        if span.parent or not of_driver:
            super().on_end(span)


class _Discreet(trace.TracerProvider):
    # An error of the database quotes values: that there was one is told, its words are not.
    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    def get_tracer(self, *arguments: Any, **options: Any) -> trace.Tracer:
        return _DiscreetTracer(self._provider.get_tracer(*arguments, **options))


class _DiscreetTracer(trace.Tracer):
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def start_span(self, *arguments: Any, **options: Any) -> trace.Span:
        return self._tracer.start_span(*arguments, **options)

    def start_as_current_span(self, *arguments: Any, **options: Any) -> Any:
        quiet = {"record_exception": False, "set_status_on_exception": False}
        return self._tracer.start_as_current_span(*arguments, **options | quiet)


def _name_trace(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    # By these names whoever collects logs joins them with traces.
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


# What a line of the log is told about the trace it belongs to.
LOG_PROCESSORS: tuple[Any, ...] = (_name_trace,)
