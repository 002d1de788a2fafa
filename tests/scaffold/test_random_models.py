"""Random models, scaffolded into services with different answers, pass all checks of a service."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.rendering import RenderService
from tests.scaffold.random_models import random_models
from tests.scaffold.services import check, scaffold_models
from tests.services import Interpreter

pytestmark = pytest.mark.slow

ANSWERS: list[dict[str, Any]] = [
    {"pk_type": "uuid7", "lazy_strategy": "raise_on_sql", "soft_delete": True},
    {"pk_type": "int", "lazy_strategy": "select", "soft_delete": False},
    {"pk_type": "uuid4", "lazy_strategy": "raise", "soft_delete": False},
    {"pk_type": "int", "lazy_strategy": "selectin", "soft_delete": True},
]


@pytest.mark.parametrize(("seed", "answers"), list(enumerate(ANSWERS)))
def test_random_models_pass_all_checks_of_a_service(
    service: RenderService,
    interpreter: Interpreter,
    server: URL,
    mypy_cache: Path,
    seed: int,
    answers: dict[str, Any],
) -> None:
    directory = service(example=False, **answers)
    models = random_models(seed, 5)

    scaffold_models(interpreter, server, directory, models)

    # One service is enough: pyright takes as long as all other checks of a service.
    check(interpreter, server, directory, mypy_cache, pyright=seed == 0)
