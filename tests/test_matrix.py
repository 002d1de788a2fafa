"""Whatever is answered, the service is formatted, lint-clean, typed, tested and migrated."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.combinations import ALL, OPTIONS, covering, pairs, title
from tests.processes import succeed
from tests.rendering import Copy, Renderer
from tests.services import Interpreter, address, new_database

COVERING = covering()

every_pair = pytest.mark.parametrize("answers", COVERING, ids=map(title, COVERING))


def test_every_two_answers_meet_in_the_covering_set() -> None:
    for (one, its), (other, others) in itertools.combinations(OPTIONS.items(), 2):
        for left, right in itertools.product(its, others):
            assert any((c[one], c[other]) == (left, right) for c in COVERING)


def test_the_covering_set_has_the_default_and_the_wholly_flipped_service() -> None:
    assert {option: answers[0] for option, answers in OPTIONS.items()} in COVERING
    assert {option: answers[-1] for option, answers in OPTIONS.items()} in COVERING
    assert len(COVERING) <= 16
    assert len(ALL) == 96
    assert len(pairs(ALL[0])) == 10


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_every_minimum_python_is_formatted_and_lint_clean(render: Renderer, version: str) -> None:
    is_clean(render(python_version=version))


@pytest.mark.slow
@pytest.mark.parametrize("pk_type", OPTIONS["pk_type"])
@pytest.mark.parametrize("lazy_strategy", OPTIONS["lazy_strategy"])
def test_every_combination_is_formatted_and_lint_clean(
    render: Renderer, pk_type: str, lazy_strategy: str
) -> None:
    wanted = {"pk_type": pk_type, "lazy_strategy": lazy_strategy}

    is_clean(*(render(**one) for one in ALL if wanted.items() <= one.items()))


def is_clean(*services: Path) -> None:
    """Fail where ruff, each service with its own settings, would change or forbid anything."""
    ruff = [sys.executable, "-m", "ruff"]
    place = services[0].parent
    succeed(*ruff, "format", "--no-cache", "--check", "--quiet", *services, cwd=place)
    succeed(*ruff, "check", "--no-cache", "--quiet", *services, cwd=place)


@pytest.mark.slow
@every_pair
def test_a_service_is_strictly_typed(
    service: Copy, interpreter: Interpreter, mypy_cache: Path, answers: dict[str, Any]
) -> None:
    directory = service(**answers)

    interpreter.succeeds(directory, "mypy", "--cache-dir", mypy_cache)
    interpreter.succeeds(directory, "pyright", "--pythonpath", interpreter.python)


@pytest.fixture(scope="session")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where mypy keeps what it knows of the libraries, from one service to the next."""
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.slow
@every_pair
def test_a_service_passes_its_own_tests(
    service: Copy, interpreter: Interpreter, server: URL, answers: dict[str, Any]
) -> None:
    interpreter.succeeds(service(**answers), "pytest", DATABASE_URL=address(server))


@pytest.mark.slow
def test_the_default_service_passes_its_own_tests_on_python_3_13(
    service: Copy, interpreter_of: Callable[[str], Interpreter], server: URL
) -> None:
    newer = interpreter_of("3.13")
    directory = service()

    assert "Python 3.13" in newer.succeeds(directory, "pytest", DATABASE_URL=address(server))


@pytest.mark.slow
@every_pair
def test_a_service_migrates_to_its_models_and_back(
    service: Copy, interpreter: Interpreter, server: URL, answers: dict[str, Any]
) -> None:
    directory, database = service(**answers), address(new_database(server))

    def alembic(*arguments: str) -> None:
        interpreter.succeeds(directory, "alembic", *arguments, DATABASE_URL=database)

    alembic("upgrade", "head")
    alembic("check")
    alembic("downgrade", "base")
    alembic("upgrade", "head")
