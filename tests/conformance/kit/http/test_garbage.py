"""A process that serves leaves alone what it began with; one that has other work does not."""

import gc

import pytest
from sqlalchemy import URL

from app.kit.garbage import OBJECTS_BETWEEN
from app.main import create_app
from tests.rig.app import running
from tests.rig.database import settings_for


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What Python is told of its garbage; it does not hear of it, as the tests go on."""
    said: list[object] = []

    def set_threshold(first: int, *_others: int) -> None:
        said.append(first)

    monkeypatch.setattr(gc, "freeze", lambda: said.append("freeze"))
    monkeypatch.setattr(gc, "set_threshold", set_threshold)
    return said


async def test_a_service_with_a_process_of_its_own(
    direct_url: URL, told: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", direct_url.render_as_string(hide_password=False))
    async with running(create_app()):
        assert told == ["freeze", OBJECTS_BETWEEN]


async def test_an_application_among_other_things(direct_url: URL, told: list[object]) -> None:
    async with running(create_app(settings_for(direct_url))):
        assert told == []
