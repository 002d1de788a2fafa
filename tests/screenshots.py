"""Write the screenshots in docs/images/: `uv run python -m tests.screenshots`."""

import sys
from pathlib import Path

from tests.browsers import CHROMIUM, open_page
from tests.processes import UV, free_port, open_directory, serving
from tests.rendering import ROOT, Renderer

IMAGES = ROOT / "docs" / "images"
SECONDS_TO_START = 120


def take_pages(address: str) -> None:
    """Take screenshots of the API docs."""
    with open_page() as browser:
        page = browser.page
        page.goto(f"{address}/docs")
        page.wait_for_selector(".opblock")
        page.screenshot(path=IMAGES / "docs.png")
        # Sends the example of the request body unchanged.
        operation = browser.try_out("tags", "create_tag", "201")
        page.set_viewport_size({"width": 1280, "height": 1500})
        operation.evaluate("each => each.scrollIntoView()")
        page.screenshot(path=IMAGES / "operation.png")


def main() -> None:
    """Start the default service, take the screenshots, and stop it."""
    if CHROMIUM is None:
        sys.exit("Chromium is not installed. Install the package chromium.")
    IMAGES.mkdir(exist_ok=True)
    with open_directory() as directory:
        service, port = directory / "service", free_port()
        Renderer(directory).into(service)
        command = (UV, "run", "my-service", "dev", "--port", str(port))
        with serving(*command, cwd=service, port=port, log=Path(directory / "log")) as server:
            server.wait_until_ready(SECONDS_TO_START)
            take_pages(server.url)
            server.interrupt()


if __name__ == "__main__":
    main()
