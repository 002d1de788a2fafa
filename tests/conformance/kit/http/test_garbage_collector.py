"""Only a process that runs the service alone tunes the garbage collector."""

import gc

import pytest
from sqlalchemy import URL

from app.kit.observability.garbage_collector import GC_THRESHOLD
from app.main import create_app
from tests.support.app import running
from tests.support.database import settings_for


@pytest.fixture
def gc_calls(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The calls to the garbage collector, which are recorded instead of executed."""
    calls: list[object] = []

    def set_threshold(first: int, *_others: int) -> None:
        calls.append(first)

    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
    monkeypatch.setattr(gc, "set_threshold", set_threshold)
    return calls


async def test_service_process_tunes_garbage_collector(
    unpooled_url: URL, gc_calls: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", unpooled_url.render_as_string(hide_password=False))
    async with running(create_app()):
        assert gc_calls == ["freeze", GC_THRESHOLD]


async def test_embedded_application_does_not_tune_garbage_collector(
    unpooled_url: URL, gc_calls: list[object]
) -> None:
    async with running(create_app(settings_for(unpooled_url))):
        assert gc_calls == []
