"""The OpenAPI fuzz test of a service finds errors in endpoints of the team."""

import re
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.processes import run
from tests.rendering import RenderService
from tests.services import Interpreter, database_url, new_database

ROUTER = '''"""Gauges."""

from fastapi import APIRouter

from app.kit.http.schemas import RequestModel

router = APIRouter(prefix="/gauges", tags=["gauges"])


class Reading(RequestModel):
    """A reading."""

    litres: int


@router.post("/{gauge}")
async def add_reading(gauge: str, reading: Reading) -> int:
    """Add a reading."""
    return 100 // reading.litres
'''


def add_feature(service: Path) -> None:
    """Add and register a feature with a bug."""
    feature = service / "src/app/features/gauges"
    feature.mkdir()
    (feature / "__init__.py").touch()
    (feature / "router.py").write_text(ROUTER)
    registry = service / "src/app/registry.py"
    text = registry.read_text()
    for marker, line in (
        (
            "the imports of your features follow ----",
            "from app.features.gauges.router import router",
        ),
        ("your features follow ----", "    router,"),
    ):
        head, tail = text.split(f", {marker}", 1)
        text = f"{head}, {marker}\n{line}{tail}"
    registry.write_text(text)


@pytest.mark.slow
@pytest.mark.full_suite
@pytest.mark.parametrize("example", [True, False])
def test_fuzz_test_finds_server_error_in_feature(
    service: RenderService, interpreter: Interpreter, server: URL, example: bool
) -> None:
    directory = service(example=example)
    add_feature(directory)

    result = run(
        *(interpreter.python, "-m", "pytest", "-q", "tests/architecture/test_fuzz.py"),
        cwd=directory,
        PYTHONPATH="src",
        DATABASE_URL=database_url(new_database(server)),
    )

    output = result.stdout
    assert result.returncode == 1, output
    failed = set(re.findall(r"^FAILED .+/test_fuzz.py::\S+\[(.+)-", output, re.MULTILINE))
    assert failed == {"POST /gauges/{gauge}"}, output
    assert "AssertionError: POST /gauges/{gauge}: " in output, output
    assert "Server error" in output, output
    assert '"litres": 0' in output, output
