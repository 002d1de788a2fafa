"""The pages that show the API load nothing from elsewhere, and run no script but their own."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from httpx2 import ASGITransport, AsyncClient

from app.kit.application import Application
from tests.rig.app import client_of

PAGES = ["/docs", "/redoc"]
NAMED = re.compile(r"<(?:script|link|img)\b[^>]*?(?:src|href)=\"([^\"]+)\"")


@pytest.fixture
def client() -> AsyncClient:
    """A client of an application without routes of its own."""
    return client_of(Application(title="Kit"))


def policy_of(header: str) -> dict[str, str]:
    """What a page may load, by kind."""
    return dict(part.split(" ", 1) for part in header.split("; "))


@pytest.mark.parametrize("page", PAGES)
async def test_all_that_a_page_loads_is_served_from_here(client: AsyncClient, page: str) -> None:
    named = NAMED.findall((await client.get(page)).text)
    assert len(named) >= 2
    for address in named:
        loaded = await client.get(address)
        assert loaded.status_code == 200, address
        assert len(loaded.content) > 1_000


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_may_load_from_nowhere_else(client: AsyncClient, page: str) -> None:
    header = (await client.get(page)).headers["Content-Security-Policy"]
    assert "http" not in header
    assert policy_of(header)["default-src"] == "'none'"


@pytest.mark.parametrize("page", [*PAGES, "/docs/oauth2-redirect"])
async def test_a_page_runs_the_script_in_it_and_no_other(client: AsyncClient, page: str) -> None:
    answer = await client.get(page)
    allowed = policy_of(answer.headers["Content-Security-Policy"])["script-src"].split()
    scripts = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digests = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    assert allowed == ["'self'", *(f"'sha256-{digest}'" for digest in digests)]
    assert (page == "/redoc") == (digests == [])


async def test_below_the_path_of_a_proxy_a_page_loads_from_below_it() -> None:
    transport = ASGITransport(Application(title="Kit"), root_path="/shop")
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        for page in PAGES:
            text = (await client.get(f"/shop{page}")).text
            assert "/shop/openapi.json" in text
            assert {address.split("/")[1] for address in NAMED.findall(text)} == {"shop"}


async def test_a_browser_keeps_what_a_page_loads_and_asks_whether_it_is_current(
    client: AsyncClient,
) -> None:
    first = await client.get("/docs-assets/swagger-ui.css")
    assert first.headers["Cache-Control"] == "no-cache"
    again = await client.get(
        "/docs-assets/swagger-ui.css", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert again.status_code == 304


async def test_pages_are_where_the_application_says_or_nowhere() -> None:
    moved = client_of(Application(docs_url="/kit/docs", redoc_url=None))
    assert (await moved.get("/kit/docs")).status_code == 200
    for place in PAGES:
        assert (await moved.get(place)).status_code == 404
    without = client_of(Application(openapi_url=None))
    for place in (*PAGES, "/docs-assets/favicon.png"):
        assert (await without.get(place)).status_code == 404
