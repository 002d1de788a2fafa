"""The caller in traces."""

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import URL

from app.kit.observability import tracing
from app.main import create_app
from tests.support.app import client_of, running
from tests.support.auth import TESTER
from tests.support.database import settings_for


async def test_span_has_the_subject_and_statements_do_not(
    own_database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "exporter", lambda: memory)
    app = create_app(settings_for(own_database_url))
    async with running(app), client_of(app) as client:
        user = {"name": "Ada", "email": "ada@example.org", "password": "analytical engine"}
        assert (await client.post("/users", json=user)).status_code == 201
    attributes = [dict(span.attributes or {}) for span in memory.get_finished_spans()]
    assert [each["enduser.id"] for each in attributes if "enduser.id" in each] == [TESTER]
    assert not [each for each in attributes if TESTER in str(each.get("db.statement"))]
