"""A request and its statements are one trace."""

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
from app.kit import tracing
from tests.conformance.conftest import Logged
from tests.conformance.support.watched import WAYS, watched, watched_settings
from tests.rig.app import client_of

SECRET = "nobody's business"
CALLER = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What has been sent. Nothing is, before the service is shut down or seconds have passed."""
    memory = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "exporter", lambda: memory)
    return memory


async def spans_of(
    sent: InMemorySpanExporter, url: URL, *paths: str, **headers: str
) -> tuple[ReadableSpan, list[ReadableSpan]]:
    """The span of the request that came last, and those within it."""
    async with watched(watched_settings(url)) as app, client_of(app) as client:
        for path in paths:
            await client.get(path, headers=headers)
        assert not sent.get_finished_spans()
    *_, server = [span for span in sent.get_finished_spans() if span.kind is SpanKind.SERVER]
    return server, children_of(server, sent.get_finished_spans())


def children_of(parent: ReadableSpan, spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
    assert parent.context
    return [s for s in spans if s.parent and s.parent.span_id == parent.context.span_id]


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


@pytest.mark.parametrize("way", WAYS)
async def test_a_statement_belongs_to_its_request_whichever_way_it_went(
    sent: InMemorySpanExporter, direct_url: URL, way: str
) -> None:
    # The first use of a connection asks the server about itself.
    path = f"{way}/{SECRET}"
    server, statements = await spans_of(sent, direct_url, path, path)
    assert server.name == f"GET {way}/{{value}}"
    assert attributes_of(server)["http.response.status_code"] == 200
    (statement,) = statements
    assert statement.name == "SELECT"
    assert "pg_sleep" in attributes_of(statement)["db.statement"]
    assert SECRET not in str(attributes_of(statement))
    assert server.resource.attributes["service.name"] == NAME


async def test_an_error_is_told_without_the_value_that_it_is_about(
    sent: InMemorySpanExporter, direct_url: URL
) -> None:
    _, statements = await spans_of(sent, direct_url, f"/kit/ways/wrong/{SECRET}")
    failed = [span for span in statements if span.status.status_code is StatusCode.ERROR]
    assert len(failed) == 1
    assert SECRET not in "".join(span.to_json() for span in statements)


async def test_the_trace_of_a_caller_goes_on(sent: InMemorySpanExporter, direct_url: URL) -> None:
    server, _ = await spans_of(
        sent, direct_url, "/kit/ways/hot/1", traceparent=f"00-{CALLER}-b7ad6b7169203331-01"
    )
    assert server.context
    assert format_trace_id(server.context.trace_id) == CALLER


async def test_whoever_looks_after_the_process_leaves_no_trace(
    sent: InMemorySpanExporter, direct_url: URL
) -> None:
    async with watched(watched_settings(direct_url)) as app, client_of(app) as client:
        await client.get("/health/live")
        await client.get("/health/ready")
    assert not sent.get_finished_spans()


@pytest.fixture
async def own_app(sent: InMemorySpanExporter, direct_url: URL) -> AsyncGenerator[FastAPI]:
    async with watched(watched_settings(direct_url)) as app:
        yield app


async def test_a_line_of_the_log_names_its_trace(own_app: FastAPI, logged: Logged) -> None:
    async with client_of(own_app) as client:
        traced = {"traceparent": f"00-{CALLER}-b7ad6b7169203331-01"}
        await client.get("/kit/ways/hot/1", headers=traced)
    (line,) = [line for line in logged() if line["event"] == "request"]
    assert line["trace_id"] == CALLER
    assert len(line["span_id"]) == 16


async def test_without_an_endpoint_nothing_is_traced_or_sent(
    monkeypatch: pytest.MonkeyPatch, direct_url: URL
) -> None:
    for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]:
        monkeypatch.delenv(name, raising=False)
    fetch = asyncpg.Connection.fetch
    assert tracing.exporter() is None
    assert tracing.Tracing.of(NAME).telemetry.get("tracing") is False
    assert asyncpg.Connection.fetch is fetch
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert isinstance(tracing.exporter(), OTLPSpanExporter)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert tracing.exporter() is None


async def test_once_shut_down_the_driver_is_as_it_was(
    sent: InMemorySpanExporter, direct_url: URL
) -> None:
    before = asyncpg.Connection.fetch
    async with watched(watched_settings(direct_url)):
        assert asyncpg.Connection.fetch is not before
    assert asyncpg.Connection.fetch is before


class Stuck(SpanExporter):
    """A collector that accepts what is sent, and never answers."""

    def __init__(self) -> None:
        self.asked, self.gone = Event(), Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked.set()
        self.gone.wait(2)
        return SpanExportResult.FAILURE


async def test_a_collector_that_never_answers_does_not_keep_the_process(
    monkeypatch: pytest.MonkeyPatch, direct_url: URL
) -> None:
    stuck = Stuck()
    monkeypatch.setattr(tracing, "exporter", lambda: stuck)
    monkeypatch.setattr(tracing, "PATIENCE", 0.1)
    async with watched(watched_settings(direct_url)) as app, client_of(app) as client:
        await client.get("/kit/ways/hot/1")
        began = monotonic()
    assert stuck.asked.is_set()
    assert monotonic() - began < 1
    stuck.gone.set()
