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


# What neither answer changes runs in the two services that differ in both.
IN_FULL = [ANSWERS[0], ANSWERS[-1]]
INDEPENDENT = (
    "test_assorted_migrations.py",
    "test_database_url.py",
    "test_enum_conditions.py",
    "test_enum_migrations.py",
    "test_forms.py",
    "test_http.py",
    "test_jobs.py",
    "test_locked_table.py",
    "test_mounted.py",
    "test_openapi_headers.py",
    "test_openapi_schema.py",
    "test_request_bounds.py",
    "test_request_size.py",
    "test_schema_changes.py",
    "test_sequences_and_cycles.py",
    "test_stable_migrations.py",
    "test_streams.py",
    "test_tls.py",
    "test_web_socket.py",
)


def add_conformance_suite(service: Path) -> Path:
    """Copy the suite into a service; returns the service."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SUITE, service / "tests" / "conformance", ignore=ignored, dirs_exist_ok=True)
    return service


def test_independent_files_exist() -> None:
    assert all((SUITE / name).is_file() for name in INDEPENDENT)


@pytest.mark.slow
@pytest.mark.whole
@pytest.mark.parametrize("answers", ANSWERS, ids=lambda each: "-".join(map(str, each.values())))
def test_service_passes_conformance_suite(
    service: Copy, interpreter: Interpreter, server: URL, answers: dict[str, Any]
) -> None:
    place = add_conformance_suite(service(**answers))
    left_out = (
        [] if answers in IN_FULL else [f"--ignore=tests/conformance/{name}" for name in INDEPENDENT]
    )

    interpreter.succeeds(
        place,
        *("pytest", "-q", "-n", "0", "-m", "", "tests/conformance", *left_out),
        DATABASE_URL=address(new_database(server)),
    )


@pytest.mark.slow
@pytest.mark.parametrize("lazy_strategy", OPTIONS["lazy_strategy"][1:])
def test_views_return_the_same_with_each_lazy_strategy(
    service: Copy, interpreter: Interpreter, server: URL, lazy_strategy: str
) -> None:
    place = add_conformance_suite(service(lazy_strategy=lazy_strategy))

    interpreter.succeeds(
        place,
        *("pytest", "-q", "-n", "0", "-m", "", "tests/conformance/test_views.py"),
        DATABASE_URL=address(new_database(server)),
    )


@pytest.mark.slow
def test_conformance_suite_is_strictly_typed(
    service: Copy, interpreter: Interpreter, mypy_cache: Path
) -> None:
    place = add_conformance_suite(service())

    interpreter.succeeds(place, "mypy", "--cache-dir", mypy_cache, "tests/conformance")
