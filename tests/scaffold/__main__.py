"""Scaffold many random models.

    PYTHONPATH=template/devtools uv run python -m tests.scaffold --models 1000 --seed 1

Each service has other answers, and passes all checks of tests/scaffold/services.py. The seed and
the answers of a service that fails are printed, and its directory is kept.
"""

import argparse
import itertools
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.combinations import OPTIONS
from tests.rendering import Renderer
from tests.scaffold.random_models import NAMES, random_models
from tests.scaffold.services import check, scaffold_models
from tests.services import RUNNING_VERSION, Interpreter, interpreter_for, postgres

ANSWERS = ["pk_type", "lazy_strategy", "soft_delete"]


def main() -> int:
    """Run the checks; returns 0 if all services passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.scaffold")
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--per-service", type=int, default=len(NAMES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", type=Path, help="of an environment with all dependencies")
    arguments = parser.parse_args()
    combinations = list(itertools.product(*(OPTIONS[name] for name in ANSWERS)))
    directory = Path(tempfile.mkdtemp(prefix="scaffold-"))
    directory.chmod(0o755)
    failed = 0
    with postgres() as server:
        renderer = Renderer(directory / "renderings")
        interpreter = _interpreter(renderer, directory, arguments.python)
        for number, done in enumerate(range(0, arguments.models, arguments.per_service)):
            seed = arguments.seed + number
            # Seed 1 has the first answers.
            answers = dict(zip(ANSWERS, combinations[(seed - 1) % len(combinations)], strict=True))
            count = min(arguments.per_service, arguments.models - done)
            failed += not _passes(renderer, interpreter, server, directory, seed, count, answers)
    print(f"{arguments.models} models, {failed} services failed")  # noqa: T201 - its report
    return min(failed, 1)


def _interpreter(renderer: Renderer, directory: Path, python: Path | None) -> Interpreter:
    if python:
        return Interpreter(python)
    return interpreter_for(renderer(telemetry=True), directory / "python", RUNNING_VERSION)


def _passes(
    renderer: Renderer,
    interpreter: Interpreter,
    server: URL,
    directory: Path,
    seed: int,
    count: int,
    answers: dict[str, object],
) -> bool:
    service = directory / f"service-{seed}"
    renderer.into(service, example=False, **answers)
    models = random_models(seed, count)
    try:
        scaffold_models(interpreter, server, service, models)
        check(interpreter, server, service, directory / "mypy")
    except (AssertionError, pytest.fail.Exception):
        print(f"seed {seed}, {answers}: FAILED in {service}")  # noqa: T201 - its report
        traceback.print_exc()
        return False
    print(f"seed {seed}, {answers}: {count} models passed", flush=True)  # noqa: T201 - its report
    shutil.rmtree(service)
    return True


if __name__ == "__main__":
    sys.exit(main())
