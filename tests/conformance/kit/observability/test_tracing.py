"""A request and its statements form one trace."""

from collections.abc import AsyncGenerator, Sequence
from threading import Event
from time import monotonic
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id
from sqlalchemy import URL

from app.about import NAME
from app.kit.observability import tracing
from tests.conformance.conftest import ReadLog
from tests.conformance.support.observed_service import PATHS, observed_service, observed_settings
from tests.support.app import client_of

SECRET = "nobody's business"
CALLER = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The exported spans. Export happens at shutdown or after seconds."""
    memory = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "exporter", lambda: memory)
    return memory


async def spans_of(
    exporter: InMemorySpanExporter, url: URL, *paths: str, **headers: str
) -> tuple[ReadableSpan, list[ReadableSpan]]:
    """Return the span of the last request, and its child spans."""
    async with observed_service(observed_settings(url)) as app, client_of(app) as client:
        for path in paths:
            await client.get(path, headers=headers)
        assert not exporter.get_finished_spans()
    *_, server = [span for span in exporter.get_finished_spans() if span.kind is SpanKind.SERVER]
    return server, children_of(server, exporter.get_finished_spans())


def children_of(parent: ReadableSpan, spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
    assert parent.context
    return [s for s in spans if s.parent and s.parent.span_id == parent.context.span_id]


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


@pytest.mark.parametrize("path_prefix", PATHS)
async def test_statement_span_is_a_child_of_its_request(
    exporter: InMemorySpanExporter, unpooled_url: URL, path_prefix: str
) -> None:
    # The first use of a connection sends additional queries.
    path = f"{path_prefix}/{SECRET}"
    server, statements = await spans_of(exporter, unpooled_url, path, path)
    assert server.name == f"GET {path_prefix}/{{value}}"
    assert attributes_of(server)["http.response.status_code"] == 200
    (statement,) = statements
    assert statement.name == "SELECT"
    assert "pg_sleep" in attributes_of(statement)["db.statement"]
    assert SECRET not in str(attributes_of(statement))
    assert server.resource.attributes["service.name"] == NAME


async def test_error_span_contains_no_values(
    exporter: InMemorySpanExporter, unpooled_url: URL
) -> None:
    _, statements = await spans_of(exporter, unpooled_url, f"/kit/paths/wrong/{SECRET}")
    failed = [span for span in statements if span.status.status_code is StatusCode.ERROR]
    assert len(failed) == 1
    assert SECRET not in "".join(span.to_json() for span in statements)


async def test_trace_of_the_caller_is_continued(
    exporter: InMemorySpanExporter, unpooled_url: URL
) -> None:
    server, _ = await spans_of(
        exporter,
        unpooled_url,
        "/kit/paths/compiled-read/1",
        traceparent=f"00-{CALLER}-b7ad6b7169203331-01",
    )
    assert server.context
    assert format_trace_id(server.context.trace_id) == CALLER


async def test_health_checks_are_not_traced(
    exporter: InMemorySpanExporter, unpooled_url: URL
) -> None:
    async with observed_service(observed_settings(unpooled_url)) as app, client_of(app) as client:
        await client.get("/health/live")
        await client.get("/health/ready")
    assert not exporter.get_finished_spans()


@pytest.fixture
async def own_app(exporter: InMemorySpanExporter, unpooled_url: URL) -> AsyncGenerator[FastAPI]:
    async with observed_service(observed_settings(unpooled_url)) as app:
        yield app


async def test_log_event_contains_the_trace_id(own_app: FastAPI, read_log: ReadLog) -> None:
    async with client_of(own_app) as client:
        headers = {"traceparent": f"00-{CALLER}-b7ad6b7169203331-01"}
        await client.get("/kit/paths/compiled-read/1", headers=headers)
    (line,) = [line for line in read_log() if line["event"] == "request"]
    assert line["trace_id"] == CALLER
    assert len(line["span_id"]) == 16


async def test_without_endpoint_nothing_is_traced(
    monkeypatch: pytest.MonkeyPatch, unpooled_url: URL
) -> None:
    for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]:
        monkeypatch.delenv(name, raising=False)
    fetch = asyncpg.Connection.fetch
    assert tracing.exporter() is None
    assert tracing.Tracing.from_settings(NAME).telemetry.get("tracing") is False
    assert asyncpg.Connection.fetch is fetch
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert isinstance(tracing.exporter(), OTLPSpanExporter)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert tracing.exporter() is None


async def test_shutdown_restores_the_driver(
    exporter: InMemorySpanExporter, unpooled_url: URL
) -> None:
    before = asyncpg.Connection.fetch
    async with observed_service(observed_settings(unpooled_url)):
        assert asyncpg.Connection.fetch is not before
    assert asyncpg.Connection.fetch is before


class UnresponsiveExporter(SpanExporter):
    """A collector that accepts spans and never responds."""

    def __init__(self) -> None:
        self.export_started, self.stopped = Event(), Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.export_started.set()
        self.stopped.wait(2)
        return SpanExportResult.FAILURE


async def test_unresponsive_collector_does_not_block_shutdown(
    monkeypatch: pytest.MonkeyPatch, unpooled_url: URL
) -> None:
    unresponsive = UnresponsiveExporter()
    monkeypatch.setattr(tracing, "exporter", lambda: unresponsive)
    monkeypatch.setattr(tracing, "PATIENCE", 0.1)
    async with observed_service(observed_settings(unpooled_url)) as app, client_of(app) as client:
        await client.get("/kit/paths/compiled-read/1")
        started = monotonic()
    assert unresponsive.export_started.is_set()
    assert monotonic() - started < 1
    unresponsive.stopped.set()
