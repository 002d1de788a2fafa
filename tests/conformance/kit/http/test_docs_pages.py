"""The documentation pages load no external resources and run only their own scripts."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from httpx2 import ASGITransport, AsyncClient

from app.kit.http.application import Application
from tests.support.app import client_of

PAGES = ["/docs", "/redoc"]
RESOURCES = re.compile(r"<(?:script|link|img)\b[^>]*?(?:src|href)=\"([^\"]+)\"")


@pytest.fixture
def client() -> AsyncClient:
    """A client of an application without endpoints."""
    return client_of(Application(title="Kit"))


def policy_of(header: str) -> dict[str, str]:
    """Parse a Content-Security-Policy header."""
    return dict(part.split(" ", 1) for part in header.split("; "))


@pytest.mark.parametrize("page", PAGES)
async def test_page_resources_are_served_by_the_application(client: AsyncClient, page: str) -> None:
    resources = RESOURCES.findall((await client.get(page)).text)
    assert len(resources) >= 2
    for url in resources:
        resource = await client.get(url)
        assert resource.status_code == 200, url
        assert len(resource.content) > 1_000


@pytest.mark.parametrize("page", PAGES)
async def test_page_policy_forbids_external_resources(client: AsyncClient, page: str) -> None:
    header = (await client.get(page)).headers["Content-Security-Policy"]
    assert "http" not in header
    assert policy_of(header)["default-src"] == "'none'"


@pytest.mark.parametrize("page", [*PAGES, "/docs/oauth2-redirect"])
async def test_page_policy_allows_only_its_own_script(client: AsyncClient, page: str) -> None:
    response = await client.get(page)
    allowed = policy_of(response.headers["Content-Security-Policy"])["script-src"].split()
    scripts = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    digests = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    assert allowed == ["'self'", *(f"'sha256-{digest}'" for digest in digests)]
    assert (page == "/redoc") == (digests == [])


async def test_page_resources_use_the_root_path_of_a_proxy() -> None:
    transport = ASGITransport(Application(title="Kit"), root_path="/shop")
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        for page in PAGES:
            text = (await client.get(f"/shop{page}")).text
            assert "/shop/openapi.json" in text
            assert {url.split("/")[1] for url in RESOURCES.findall(text)} == {"shop"}


async def test_page_resources_are_revalidated_with_etag(
    client: AsyncClient,
) -> None:
    first = await client.get("/docs-assets/swagger-ui.css")
    assert first.headers["Cache-Control"] == "no-cache"
    again = await client.get(
        "/docs-assets/swagger-ui.css", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert again.status_code == 304


async def test_pages_can_be_moved_or_disabled() -> None:
    moved = client_of(Application(docs_url="/kit/docs", redoc_url=None))
    assert (await moved.get("/kit/docs")).status_code == 200
    for path in PAGES:
        assert (await moved.get(path)).status_code == 404
    without = client_of(Application(openapi_url=None))
    for path in (*PAGES, "/docs-assets/favicon.png"):
        assert (await without.get(path)).status_code == 404
