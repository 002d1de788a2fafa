"""Smoke tests: a service is started with its own commands and used over HTTP."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.processes import UV, run
from tests.services import DEV, FASTAPI_DEV, Start, postmaster

pytestmark = pytest.mark.slow


def test_dev_starts_working_service(default: Path, start: Start) -> None:
    server = start(default, *DEV)

    server.until(lambda: f"{server.url}/docs" in server.output, 10, "dev did not print its URL")
    assert server.get("/health/live").json() == {"status": "ok"}
    assert "swagger" in server.get("/docs").text
    with httpx2.Client(base_url=server.url) as client:
        documented = client.get("/openapi.json").json()
        assert documented["info"]["title"] == "My Service"
        assert {"get", "post"} <= {*documented["paths"]["/posts"]}
        use_post_endpoints(client)


def use_post_endpoints(client: httpx2.Client) -> None:
    """Create, read, list, search, update and delete a post."""
    ada = {"email": "ada@example.org", "name": "Ada", "password": "analytical engine"}
    author = create(client, "/users", ada)
    tag = create(client, "/tags", {"name": "engines"})
    post = create(
        client,
        "/posts",
        {"title": "Notes on the engine", "author_id": author["id"], "tags": [tag["name"]]},
    )
    path = f"/posts/{post['id']}"

    assert client.get(path).json() == post
    assert client.get("/posts").json()["items"] == [post]
    assert client.get("/posts", params={"q": "ENGINE"}).json()["total"] == 1
    assert client.get("/posts", params={"q": "loom"}).json()["total"] == 0
    assert client.patch(path, json={"title": "Notes"}).json()["title"] == "Notes"
    assert client.get(path).json()["title"] == "Notes"
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.get("/posts").json()["items"] == []


def create(client: httpx2.Client, path: str, content: dict[str, Any]) -> dict[str, Any]:
    """Send a POST request; return the created resource."""
    response = client.post(path, json=content)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


def test_source_change_reloads_without_database_restart(default: Path, start: Start) -> None:
    server = start(default, *DEV)
    database = postmaster(default)
    about = default / "src" / "app" / "about.py"
    original = about.read_text()

    def title() -> str:
        found: str = server.get("/openapi.json").json()["info"]["title"]
        return found

    try:
        about.write_text(original.replace("My Service", "Zebra Crossing"))
        server.until(lambda: title() == "Zebra Crossing", 30, "the server did not reload")
    finally:
        about.write_text(original)
    # Restoring the file reloads the server again.
    server.wait_until_ready(30)
    assert postmaster(default) == database


@pytest.mark.parametrize("command", [DEV, FASTAPI_DEV], ids=["dev", "fastapi dev"])
def test_dev_ignores_migration_url(default: Path, start: Start, command: list[str]) -> None:
    environment = default / ".env"
    environment.write_text("DATABASE_MIGRATION_URL=postgresql://owner@127.0.0.1:1/production\n")
    try:
        assert start(default, *command).get("/health/ready").is_success
    finally:
        environment.unlink()


def test_service_with_flipped_answers_starts(flipped: Path, start: Start) -> None:
    server = start(flipped, *DEV)

    assert server.get("/health/live").json() == {"status": "ok"}
    paths = {*server.get("/openapi.json").json()["paths"]}
    assert {path.split("/")[1] for path in paths} == {"health"}


def test_uv_run_pytest_passes(flipped: Path) -> None:
    tested = run(UV, "run", "pytest", "-q", cwd=flipped)

    assert tested.returncode == 0, tested.stdout
    assert "skipped" not in tested.stdout
