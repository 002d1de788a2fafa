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
TIMEOUT_MS = 30_000
# Chromium's sandbox does not work for root.
ARGUMENTS = ["--no-sandbox"] if os.geteuid() == 0 else []


@dataclass
class BrowserPage:
    """A page, the requests that it sent, and its console errors and warnings."""

    page: Page
    sent: list[str] = field(default_factory=list)
    console_messages: list[str] = field(default_factory=list)

    def requested_hosts(self) -> set[str]:
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
        expect(shown).to_contain_text(status, timeout=TIMEOUT_MS)
        return operation

    def record_request(self, request: Request) -> None:
        """Record a request."""
        self.sent.append(request.url)

    def discard_blocked_request(self, request: Request) -> None:
        """Discard a request that the Content Security Policy of the page blocked."""
        if request.failure == "csp":
            self.sent.remove(request.url)

    def record_console_message(self, message: ConsoleMessage) -> None:
        """Record console errors and warnings."""
        if message.type in ("error", "warning"):
            self.console_messages.append(message.text)


@contextmanager
def open_page(width: int = 1280, height: int = 800) -> Iterator[BrowserPage]:
    """Open a page in a new browser, and close the browser at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": height})
        browser_page = BrowserPage(page)
        page.on("request", browser_page.record_request)
        page.on("requestfailed", browser_page.discard_blocked_request)
        page.on("console", browser_page.record_console_message)
        page.on("pageerror", lambda error: browser_page.console_messages.append(str(error)))
        yield browser_page
        browser.close()
