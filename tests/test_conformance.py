"""The conformance suite passes in services that differ in what an answer changes."""

import itertools
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.combinations import OPTIONS
from tests.processes import run
from tests.rendering import ROOT, Copy
from tests.services import Interpreter, address, new_database
from tests.suite import FEATURES, PLACE, add_suite

ANSWERS: list[dict[str, Any]] = [
    {"pk_type": pk_type, "soft_delete": soft_delete}
    for pk_type, soft_delete in itertools.product(OPTIONS["pk_type"], OPTIONS["soft_delete"])
]
# The kit's own tests and those with the example; the furthest service has a PgBouncer in front
# where there is one: tests/test_pgbouncer.py.
KIT = ["kit", "example"]

# What neither answer changes runs in the two services that differ in both.
IN_FULL = [ANSWERS[0], ANSWERS[-1]]
INDEPENDENT = (
    "test_unusual_mapping_migrations.py",
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


def test_independent_files_exist() -> None:
    assert all((ROOT / FEATURES / name).is_file() for name in INDEPENDENT)


@pytest.mark.slow
@pytest.mark.whole
@pytest.mark.parametrize("part", KIT)
def test_default_service_passes_tests_of_the_kit(
    service: Copy, interpreter: Interpreter, part: str
) -> None:
    # On a database that it starts itself, as for its users.
    output = interpreter.succeeds(add_suite(service()), "pytest", "-q", f"{PLACE}/{part}")

    assert "skipped" not in output


@pytest.mark.slow
@pytest.mark.whole
@pytest.mark.parametrize("answers", ANSWERS, ids=lambda each: "-".join(map(str, each.values())))
def test_service_passes_tests_with_features(
    service: Copy, interpreter: Interpreter, server: URL, answers: dict[str, Any]
) -> None:
    left_out = [] if answers in IN_FULL else [f"--ignore={FEATURES}/{name}" for name in INDEPENDENT]

    interpreter.succeeds(
        add_suite(service(**answers)),
        *("pytest", "-q", FEATURES, *left_out),
        DATABASE_URL=address(new_database(server)),
    )


@pytest.mark.slow
@pytest.mark.parametrize("lazy_strategy", OPTIONS["lazy_strategy"][1:])
def test_views_return_the_same_with_each_lazy_strategy(
    service: Copy, interpreter: Interpreter, server: URL, lazy_strategy: str
) -> None:
    interpreter.succeeds(
        add_suite(service(lazy_strategy=lazy_strategy)),
        *("pytest", "-q", FEATURES / "test_views.py"),
        DATABASE_URL=address(new_database(server)),
    )


@pytest.mark.slow
def test_conformance_suite_is_strictly_typed(
    service: Copy, interpreter: Interpreter, mypy_cache: Path
) -> None:
    interpreter.succeeds(add_suite(service()), "mypy", "--cache-dir", mypy_cache, PLACE)


@pytest.mark.slow
def test_suite_runs_against_a_service_that_changed_its_kit(service: Copy) -> None:
    place = service(example=False)
    cursor = place / "src/app/kit/cursor.py"
    only = ["--only", "kit/queries/test_cursor.py", "features/test_etag.py"]
    command = [sys.executable, "-m", "tests.conformance", "--service", place, *only, "-q"]
    before = sorted(path for path in place.rglob("*"))

    passed = run(*command, cwd=ROOT)
    cursor.write_text(cursor.read_text() + "\n\ndef encode(*_: object) -> str:\n    return ''\n")
    failed = run(*command, cwd=ROOT)

    assert passed.returncode == 0, passed.stdout
    assert passed.stdout.count(" passed") == 2
    assert failed.returncode == 1, failed.stdout
    assert sorted(path for path in place.rglob("*")) == before
