"""Every request has a name and a line in the log."""

import pytest
from httpx2 import AsyncClient

from tests.kit.conftest import Logged


async def test_the_id_of_a_caller_is_kept(client: AsyncClient) -> None:
    response = await client.get("/health/live", headers={"X-Request-ID": "order-42"})
    assert response.headers["X-Request-ID"] == "order-42"


@pytest.mark.parametrize("given", [b"", b"two words", b"x" * 129, "äö".encode()])
async def test_an_id_that_could_break_a_log_is_replaced(client: AsyncClient, given: bytes) -> None:
    response = await client.get("/health/live", headers={b"X-Request-ID": given})
    assert len(response.headers["X-Request-ID"]) == 32


async def test_a_request_is_one_line_of_json(
    committing_client: AsyncClient, logged: Logged
) -> None:
    await committing_client.get("/health/live", headers={"X-Request-ID": "abc"})
    (line,) = [line for line in logged() if line["logger"] == "app.access"]
    assert line["request_id"] == "abc"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/health/live", 200)
