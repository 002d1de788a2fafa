"""The conformance suite passes in services with different answers."""

import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.combinations import OPTIONS
from tests.processes import run
from tests.rendering import ROOT, RenderService
from tests.services import Interpreter, database_url, new_database
from tests.suite import FEATURES, SUITE_FOLDER, add_suite
from tests.type_interfaces import imports_of

# Copier answers that change statements of the kit. The first and the last set share no answer.
# tests/test_matrix.py runs the service's own tests for the other pairs of answers.
ANSWERS: list[dict[str, Any]] = [
    {"pk_type": "uuid7", "soft_delete": True, "lazy_strategy": "raise_on_sql"},
    {"pk_type": "int", "soft_delete": True, "lazy_strategy": "selectin"},
    {"pk_type": "uuid4", "soft_delete": False, "lazy_strategy": "raise"},
    {"pk_type": "int", "soft_delete": False, "lazy_strategy": "select"},
]
# The tests of the kit and the example. tests/test_pgbouncer.py runs them with other answers.
PARTS = ["kit", "example"]

# Files whose tests do not depend on the answers run only in the two services that differ in all.
COMPLETE = [ANSWERS[0], ANSWERS[-1]]
INDEPENDENT = (
    "test_bulk_primary_keys.py",
    "test_column_types.py",
    "test_forms.py",
    "test_jobs.py",
    "test_locked_table.py",
    "test_mounted.py",
    "test_openapi_headers.py",
    "test_openapi_schema.py",
    "test_other_schema.py",
    "test_schema_changes.py",
    "test_streams.py",
    "test_unreadable_values.py",
    "test_unusual_mapping_migrations.py",
    "test_web_socket.py",
)
# Files that use none of the names that the answers change run only in the first service. Its
# statements pass through the code for soft delete, which the other services lack.
WITHOUT_ANSWERS = (
    "test_database_url.py",
    "test_definition_changes.py",
    "test_enum_conditions.py",
    "test_enum_migrations.py",
    "test_http.py",
    "test_request_bounds.py",
    "test_request_size.py",
    "test_sequences_and_cycles.py",
    "test_sort_types.py",
    "test_stable_migrations.py",
    "test_tls.py",
)
CHANGED_BY_ANSWERS = {
    "app.kit.db.base.TimestampedModel",
    "app.kit.db.deletion",
    "app.kit.db.ids",
    "app.kit.db.relationships",
    "app.kit.writes.deleted_rows",
}


def test_feature_tests_run_with_each_answer() -> None:
    for option in ("pk_type", "soft_delete", "lazy_strategy"):
        assert {answers[option] for answers in ANSWERS} == {*OPTIONS[option]}


def test_independent_files_exist() -> None:
    assert all((ROOT / FEATURES / name).is_file() for name in INDEPENDENT + WITHOUT_ANSWERS)


@pytest.mark.parametrize("name", WITHOUT_ANSWERS)
def test_file_without_answers_uses_no_name_that_an_answer_changes(name: str) -> None:
    pending, imported = {ROOT / FEATURES / name}, set[str]()
    while pending:
        new = imports_of(pending.pop().read_text()) - imported
        imported |= new
        suite = [ROOT.joinpath(*each.split(".")) for each in new if each.startswith("tests.c")]
        pending |= {path for each in suite if (path := each.with_suffix(".py")).is_file()}
    assert not imported & CHANGED_BY_ANSWERS


@pytest.mark.slow
@pytest.mark.full_suite
@pytest.mark.parametrize("part", PARTS)
def test_default_service_passes_kit_tests(
    service: RenderService, interpreter: Interpreter, part: str
) -> None:
    # Without DATABASE_URL: the service starts its own database.
    output = interpreter.run_module(add_suite(service()), "pytest", "-q", f"{SUITE_FOLDER}/{part}")

    assert "skipped" not in output


@pytest.mark.slow
@pytest.mark.full_suite
@pytest.mark.parametrize("answers", ANSWERS, ids=lambda each: "-".join(map(str, each.values())))
def test_service_passes_feature_tests(
    service: RenderService, interpreter: Interpreter, server: URL, answers: dict[str, Any]
) -> None:
    ignored = () if answers == ANSWERS[0] else WITHOUT_ANSWERS
    if answers not in COMPLETE:
        ignored += INDEPENDENT

    interpreter.run_module(
        add_suite(service(**answers)),
        *("pytest", "-q", FEATURES, *(f"--ignore={FEATURES}/{name}" for name in ignored)),
        DATABASE_URL=database_url(new_database(server)),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "answers",
    [{"telemetry": True, "auth": "oidc"}, {"example": False, "soft_delete": False}],
    ids=["most_modules", "fewest_modules"],
)
def test_conformance_suite_is_strictly_typed(
    service: RenderService, interpreter: Interpreter, mypy_cache: Path, answers: dict[str, Any]
) -> None:
    directory = add_suite(service(**answers))

    interpreter.run_module(directory, "mypy", "--cache-dir", mypy_cache, SUITE_FOLDER)


@pytest.mark.slow
def test_service_with_oidc_passes_auth_tests(
    service: RenderService, interpreter: Interpreter, server: URL
) -> None:
    directory = add_suite(service(auth="oidc", telemetry=True))
    files = ("kit/auth", "example/test_callers.py", "example/test_caller_spans.py")

    output = interpreter.run_module(
        directory,
        *("pytest", "-q", *(f"{SUITE_FOLDER}/{name}" for name in files)),
        DATABASE_URL=database_url(new_database(server)),
    )

    assert "skipped" not in output


@pytest.mark.slow
def test_suite_detects_changed_kit_of_service(service: RenderService, tmp_path: Path) -> None:
    directory = service(example=False)
    # Both runs use one environment.
    options = {"cwd": ROOT, "UV_PROJECT_ENVIRONMENT": str(tmp_path / "environment")}
    command = [sys.executable, "-m", "tests.conformance", "--service", directory, "-q", "--only"]
    files = sorted(directory.rglob("*"))

    passed = run(*command, "kit/errors/test_conflicts.py", "features/test_etag.py", **options)
    (directory / "src/app/kit/__init__.py").write_text('raise RuntimeError("changed")\n')
    failed = run(*command, "features/test_etag.py", **options)

    assert passed.returncode == 0, passed.stdout
    assert passed.stdout.count(" passed") == 2
    assert failed.returncode != 0
    assert "RuntimeError: changed" in failed.stdout, failed.stdout
    assert sorted(directory.rglob("*")) == files
