"""Swagger UI and ReDoc of a service in a browser."""

from pathlib import Path

import pytest

from tests.browsers import CHROMIUM, PATIENCE, browsing
from tests.processes import Server
from tests.services import DEV, Start

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture
def server(default: Path, start: Start) -> Server:
    """The default service, started with `dev`."""
    return start(default, *DEV)


def test_docs_show_every_operation_and_load_nothing_external(server: Server) -> None:
    document = server.get("/openapi.json").json()
    operations = sum(len(item) for item in document["paths"].values())
    here = {server.url.removeprefix("http://")}

    with browsing() as swagger:
        swagger.page.goto(f"{server.url}/docs")
        swagger.page.wait_for_selector(".opblock", timeout=PATIENCE)
        assert swagger.page.locator(".opblock").count() == operations
        swagger.try_out("health", "ready", "200")
        assert swagger.hosts() == here
        assert swagger.complaints == []

    with browsing() as redoc:
        redoc.page.goto(f"{server.url}/redoc")
        redoc.page.wait_for_selector("[id^='operation/']", timeout=PATIENCE)
        assert redoc.page.locator("[id^='operation/']").count() == operations
        redoc.page.wait_for_load_state("networkidle")
        assert redoc.hosts() == here
        # The Content Security Policy blocks ReDoc's logo, which is on another host.
        assert [text for text in redoc.complaints if "logo-mini.svg" not in text] == []
