"""Swagger UI and ReDoc of a service in a browser."""

from pathlib import Path

import pytest

from tests.browsers import CHROMIUM, TIMEOUT_MS, open_page
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
    own_host = {server.url.removeprefix("http://")}

    with open_page() as swagger:
        swagger.page.goto(f"{server.url}/docs")
        swagger.page.wait_for_selector(".opblock", timeout=TIMEOUT_MS)
        assert swagger.page.locator(".opblock").count() == operations
        swagger.try_out("health", "ready", "200")
        assert swagger.requested_hosts() == own_host
        assert swagger.console_messages == []

    with open_page() as redoc:
        redoc.page.goto(f"{server.url}/redoc")
        redoc.page.wait_for_selector("[id^='operation/']", timeout=TIMEOUT_MS)
        assert redoc.page.locator("[id^='operation/']").count() == operations
        redoc.page.wait_for_load_state("networkidle")
        assert redoc.requested_hosts() == own_host
        # The Content Security Policy blocks ReDoc's logo, which is on another host.
        assert [text for text in redoc.console_messages if "logo-mini.svg" not in text] == []
