"""Services with every combination of answers pass all checks."""

import itertools
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.combinations import (
    ALL,
    OPTIONS,
    WITH_OIDC,
    Combination,
    combination_id,
    pairs,
    pairwise_combinations,
    with_optional_files,
    with_pgbouncer,
)
from tests.pgbouncer import PGBOUNCER
from tests.processes import run, succeed
from tests.rendering import ROOT, Renderer, RenderService
from tests.services import RUNNING_VERSION, Interpreter, database_url, new_database
from tests.type_interfaces import Modules

PAIRWISE = pairwise_combinations()

every_pair = pytest.mark.parametrize("answers", PAIRWISE, ids=map(combination_id, PAIRWISE))

DEFAULT = PAIRWISE[0]
# With PgBouncer installed, tests/test_pgbouncer.py tests the services for PgBouncer.
TESTED = [answers for answers in PAIRWISE if not (PGBOUNCER and answers in with_pgbouncer())]
ON_NEWER_PYTHON = [answers for answers in TESTED if answers["example"]][-1]

CHECKED_FOLDERS = ["src", "devtools", "tests", "migrations"]
# Several Alembic commands in one process, because the imports take most of the time.
MIGRATE_UP_AND_DOWN = """
from alembic.config import main
for command in ["upgrade", "head"], ["check"], ["downgrade", "base"], ["upgrade", "head"]:
    main(command, prog="alembic")
"""


def test_pairwise_combinations_contain_every_pair() -> None:
    for (first, first_answers), (second, second_answers) in itertools.combinations(
        OPTIONS.items(), 2
    ):
        for left, right in itertools.product(first_answers, second_answers):
            assert any((c[first], c[second]) == (left, right) for c in PAIRWISE)


def test_pairwise_combinations_include_extremes() -> None:
    assert {option: answers[0] for option, answers in OPTIONS.items()} in PAIRWISE
    assert {option: answers[-1] for option, answers in OPTIONS.items()} in PAIRWISE
    assert len(PAIRWISE) <= 16
    assert all(answers in PAIRWISE for answers in WITH_OIDC)
    assert len(ALL) == 96
    assert len(pairs(ALL[0])) == 10


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14", "3.15"])
def test_every_python_version_passes_ruff(render: Renderer, version: str) -> None:
    assert_ruff_passes(render(python_version=version))


@pytest.mark.slow
@pytest.mark.parametrize("pk_type", OPTIONS["pk_type"])
@pytest.mark.parametrize("lazy_strategy", OPTIONS["lazy_strategy"])
def test_every_combination_passes_ruff(render: Renderer, pk_type: str, lazy_strategy: str) -> None:
    answers = {"pk_type": pk_type, "lazy_strategy": lazy_strategy}

    assert_ruff_passes(
        *(render(**with_optional_files(each)) for each in ALL if answers.items() <= each.items())
    )


def assert_ruff_passes(*services: Path) -> None:
    """Check format and lint with ruff, with the settings of each service."""
    ruff = [sys.executable, "-m", "ruff"]
    directory = services[0].parent
    succeed(*ruff, "format", "--no-cache", "--check", "--quiet", *services, cwd=directory)
    succeed(*ruff, "check", "--no-cache", "--quiet", *services, cwd=directory)


@pytest.mark.slow
@every_pair
def test_service_passes_mypy(
    service: RenderService, interpreter: Interpreter, mypy_cache: Path, answers: dict[str, Any]
) -> None:
    directory = add_generator(service(**with_optional_files(answers)))
    interpreter.run_module(directory, "mypy", "--cache-dir", mypy_cache)


def add_generator(service: Path) -> Path:
    """Add the generator of features to a service, to check its types; return the service."""
    shutil.copytree(ROOT / "scaffold" / "src", service / "devtools", dirs_exist_ok=True)
    return service


@pytest.mark.slow
@pytest.mark.full_suite
def test_service_passes_pyright(render: Renderer, interpreter: Interpreter, tmp_path: Path) -> None:
    for answers in PAIRWISE:
        directory = tmp_path / combination_id(answers)
        add_generator(shutil.copytree(render(**with_optional_files(answers)), directory))
    services = sorted(tmp_path.iterdir())
    # One error in each service shows that pyright checks all of them separately.
    wrong = [each / "src" / "app" / "features" / "wrong.py" for each in services]
    for number, module in enumerate(wrong):
        module.write_text(f"from app.about import NAME\n\nnumber_{number}: int = NAME\n")
    # One process for all services, so that pyright analyzes the libraries only once.
    settings = {
        "typeCheckingMode": "strict",
        "include": files_to_check(services),
        "executionEnvironments": [
            {"root": each.name, "extraPaths": [f"{each.name}/src", f"{each.name}/devtools"]}
            for each in services
        ],
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))

    found = run(
        *(sys.executable, "-m", "pyright", "--pythonpath", interpreter.python), cwd=tmp_path
    ).stdout
    errors = [line.split(":")[0].strip() for line in found.splitlines() if " error: " in line]
    assert sorted(errors) == [str(module) for module in wrong], found


def files_to_check(services: list[Path]) -> list[str]:
    """Return the files of all services for which the results of pyright can differ."""
    known: set[tuple[object, ...]] = set()
    chosen: list[str] = []
    has_new_types = names_with_new_types()
    for service in sorted(services, key=lambda each: each.name not in has_new_types):
        modules = Modules(service)
        for directory in CHECKED_FOLDERS:
            for path in sorted((service / directory).rglob("*.py")):
                whole = modules.fingerprint(path.relative_to(service).as_posix())
                text = whole[:2]
                if (whole if service.name in has_new_types else text) not in known:
                    known |= {whole, text}
                    chosen.append(path.relative_to(service.parent).as_posix())
    return chosen


def names_with_new_types() -> set[str]:
    """Return the ids of combinations that contain every pair of answers that changes types."""
    chosen: set[str] = set()
    missing = {pair for answers in PAIRWISE for pair in pairs(with_types(answers))}
    for answers in PAIRWISE:
        if new := pairs(with_types(answers)) & missing:
            missing -= new
            chosen.add(combination_id(answers))
    return chosen


def with_types(answers: Combination) -> Combination:
    """Replace answers that lead to the same types: both kinds of UUID, and options of values."""
    types = {"pk_type": answers["pk_type"] == "int", "lazy_strategy": None, "pooler": None}
    return {**with_optional_files(answers), **types}


@pytest.mark.slow
@pytest.mark.full_suite
@pytest.mark.parametrize("answers", TESTED, ids=map(combination_id, TESTED))
def test_service_passes_its_tests(
    service: RenderService,
    interpreter_of: Callable[[str], Interpreter],
    server: URL,
    answers: dict[str, Any],
) -> None:
    version = "3.13" if answers == ON_NEWER_PYTHON else RUNNING_VERSION
    interpreter = interpreter_of(version)
    # Without DATABASE_URL, the default service starts its own database.
    variables = {} if answers == DEFAULT else {"DATABASE_URL": database_url(server)}

    output = interpreter.run_module(service(**with_optional_files(answers)), "pytest", **variables)

    assert f"Python {version}." in output
    assert "skipped" not in output


@pytest.mark.slow
@every_pair
def test_migrations_match_models(
    service: RenderService, interpreter: Interpreter, server: URL, answers: dict[str, Any]
) -> None:
    succeed(
        *(interpreter.python, "-c", MIGRATE_UP_AND_DOWN),
        cwd=service(**answers),
        PYTHONPATH="src",
        DATABASE_URL=database_url(new_database(server)),
    )
