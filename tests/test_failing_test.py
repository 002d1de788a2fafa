"""The pytest output of a failing test in a service."""

from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.processes import run
from tests.rendering import RenderService
from tests.services import Interpreter, database_url, new_database

TESTS = """
import logging

from httpx2 import AsyncClient


async def test_with_request(client: AsyncClient) -> None:
    assert (await client.get("/no-such-path")).status_code == 200


def test_without_the_service() -> None:
    print("printed by the test")
    assert False
"""


def write_failing_tests(service: Path) -> None:
    """Add failing tests to the team's tests."""
    (service / "tests/features/test_failing.py").write_text(TESTS)


@pytest.mark.slow
@pytest.mark.full_suite
def test_output_of_failing_test_shows_request_once(
    service: RenderService, interpreter: Interpreter, server: URL
) -> None:
    directory = service(example=False)
    write_failing_tests(directory)

    result = run(
        *(interpreter.python, "-m", "pytest", "-q", "tests/features/test_failing.py"),
        cwd=directory,
        PYTHONPATH="src",
        DATABASE_URL=database_url(new_database(server)),
    )

    assert result.stdout.count('"path": "/no-such-path"') == 1, result.stdout
    assert "HTTP Request" not in result.stdout
    assert "printed by the test" in result.stdout
