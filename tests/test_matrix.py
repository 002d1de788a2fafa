"""Whatever is answered, the service is formatted, lint-clean, typed, tested and migrated."""

import itertools
import json
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.combinations import ALL, OPTIONS, behind_pgbouncer, covering, pairs, title, whole
from tests.pgbouncer import PGBOUNCER
from tests.processes import run, succeed
from tests.rendering import Copy, Renderer
from tests.services import Interpreter, address, new_database

COVERING = covering()

every_pair = pytest.mark.parametrize("answers", COVERING, ids=map(title, COVERING))

DEFAULT = COVERING[0]
# Where there is a PgBouncer, what is to run behind one is tested there.
TESTED = [answers for answers in COVERING if not (PGBOUNCER and answers in behind_pgbouncer())]

# What a developer types, one command after the other; in one process, since most of the time of
# each goes into its imports.
MIGRATING = """
from alembic.config import main
for command in ["upgrade", "head"], ["check"], ["downgrade", "base"], ["upgrade", "head"]:
    main(command, prog="alembic")
"""


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

    is_clean(*(render(**whole(one)) for one in ALL if wanted.items() <= one.items()))


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
    interpreter.succeeds(service(**whole(answers)), "mypy", "--cache-dir", mypy_cache)


@pytest.mark.slow
@pytest.mark.whole
def test_another_checker_of_types_agrees(
    render: Renderer, interpreter: Interpreter, tmp_path: Path
) -> None:
    for answers in COVERING:
        shutil.copytree(render(**whole(answers)), tmp_path / title(answers))
    services = sorted(tmp_path.iterdir())
    # It learns of the libraries once, where a process for each service would do so each time.
    settings = settings_of_pyright(*services)
    places = [f"{each.name}/{place}" for each in services for place in settings["include"]]
    apart = [
        {
            "root": each.name,
            "extraPaths": [f"{each.name}/{path}" for path in settings["extraPaths"]],
        }
        for each in services
    ]
    together = settings | {"include": places, "executionEnvironments": apart, "extraPaths": []}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(together))

    # Each has one error, so that all are known to have been looked at, by themselves.
    wrong = [each / "src" / "app" / "features" / "wrong.py" for each in services]
    for module in wrong:
        module.write_text("from app.about import NAME\n\nnumber: int = NAME\n")
    found = run(
        *(interpreter.python, "-m", "pyright", "--pythonpath", interpreter.python), cwd=tmp_path
    ).stdout
    errors = [line.split(":")[0].strip() for line in found.splitlines() if " error: " in line]
    assert errors == [str(module) for module in wrong], found


def settings_of_pyright(*services: Path) -> dict[str, Any]:
    """How services have their types checked, which must be the same for all."""
    settings, *others = (
        tomllib.loads((each / "pyproject.toml").read_text())["tool"]["pyright"] for each in services
    )
    assert all(each == settings for each in others)
    return settings


@pytest.mark.slow
@pytest.mark.whole
@pytest.mark.parametrize("answers", TESTED, ids=map(title, TESTED))
def test_a_service_passes_its_own_tests(
    service: Copy, interpreter: Interpreter, server: URL, answers: dict[str, Any]
) -> None:
    # The default one on a database that it starts itself, as it is for its users.
    given = {} if answers == DEFAULT else {"DATABASE_URL": address(server)}

    output = interpreter.succeeds(service(**whole(answers)), "pytest", "-q", **given)

    assert "skipped" not in output


@pytest.mark.slow
@pytest.mark.whole
def test_the_default_service_passes_its_own_tests_on_python_3_13(
    service: Copy, interpreter_of: Callable[[str], Interpreter], server: URL
) -> None:
    newer = interpreter_of("3.13")
    directory = service()

    output = newer.succeeds(directory, "pytest", DATABASE_URL=address(server))

    assert "Python 3.13" in output


@pytest.mark.slow
@every_pair
def test_a_service_migrates_to_its_models_and_back(
    service: Copy, interpreter: Interpreter, server: URL, answers: dict[str, Any]
) -> None:
    succeed(
        *(interpreter.python, "-c", MIGRATING),
        cwd=service(**answers),
        PYTHONPATH="src",
        DATABASE_URL=address(new_database(server)),
    )
