"""The conformance suite passes in services of each primary key type and deletion mode."""

import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.combinations import OPTIONS
from tests.rendering import ROOT, Copy
from tests.services import Interpreter, address, new_database

SUITE = ROOT / "tests" / "conformance"
ANSWERS: list[dict[str, Any]] = [
    {"pk_type": pk_type, "soft_delete": soft_delete}
    for pk_type, soft_delete in itertools.product(OPTIONS["pk_type"], OPTIONS["soft_delete"])
]


def add_conformance_suite(service: Path) -> Path:
    """Copy the suite into a service; returns the service."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SUITE, service / "tests" / "conformance", ignore=ignored, dirs_exist_ok=True)
    return service


@pytest.mark.slow
@pytest.mark.whole
@pytest.mark.parametrize("answers", ANSWERS, ids=lambda each: "-".join(map(str, each.values())))
def test_service_passes_conformance_suite(
    service: Copy, interpreter: Interpreter, server: URL, answers: dict[str, Any]
) -> None:
    place = add_conformance_suite(service(**answers))

    interpreter.succeeds(
        place,
        *("pytest", "-q", "-n", "0", "-m", "", "tests/conformance"),
        DATABASE_URL=address(new_database(server)),
    )


@pytest.mark.slow
def test_conformance_suite_is_strictly_typed(
    service: Copy, interpreter: Interpreter, mypy_cache: Path
) -> None:
    place = add_conformance_suite(service())

    interpreter.succeeds(place, "mypy", "--cache-dir", mypy_cache, "tests/conformance")
