"""A headless browser, if the machine has one (Debian package: chromium)."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# Milliseconds.
PATIENCE = 30_000
# Chromium's sandbox does not work for root.
ARGUMENTS = ["--no-sandbox"] if os.geteuid() == 0 else []


@dataclass
class Watched:
    """A page, the requests that it sent, and its console errors and warnings."""

    page: Page
    sent: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def hosts(self) -> set[str]:
        """Return the hosts that the page sent requests to."""
        parts = [urlsplit(address) for address in self.sent]
        return {part.netloc for part in parts if part.scheme in ("http", "https")}

    def try_out(self, group: str, name: str, status: str) -> Locator:
        """Send a request with "Try it out" of Swagger UI, and wait for the response status."""
        operation = self.page.locator(f"#operations-{group}-{name}")
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        shown = operation.locator(".live-responses-table td.response-col_status:not(.col_header)")
        expect(shown).to_contain_text(status, timeout=PATIENCE)
        return operation

    def on_sent(self, request: Request) -> None:
        """Record a request."""
        self.sent.append(request.url)

    def on_failed(self, request: Request) -> None:
        """Discard a request that the Content Security Policy of the page blocked."""
        if request.failure == "csp":
            self.sent.remove(request.url)

    def on_console(self, message: ConsoleMessage) -> None:
        """Record console errors and warnings."""
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@contextmanager
def browsing(width: int = 1280, height: int = 800) -> Iterator[Watched]:
    """Open a page in a new browser, and close the browser at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": height})
        watched = Watched(page)
        page.on("request", watched.on_sent)
        page.on("requestfailed", watched.on_failed)
        page.on("console", watched.on_console)
        page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        yield watched
        browser.close()
