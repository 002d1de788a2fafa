"""The models that `scaffold` writes."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.rendering import Renderer, RenderService
from tests.scaffold.services import check, migrate, succeed_in
from tests.services import Interpreter

pytestmark = pytest.mark.slow


def test_models_follow_rules_that_random_models_rarely_meet(
    service: RenderService, interpreter: Interpreter
) -> None:
    directory = service(example=False)
    calls = [
        "patient name:str languages:str[] notes:json:optional",
        "visit patient:ref:patients",
        "badge patient:ref:patients:unique",
    ]
    succeed_in(interpreter, directory, [call.split() for call in calls])
    patients, visits, badges = [
        (directory / f"src/app/features/{name}/models.py").read_text()
        for name in ("patients", "visits", "badges")
    ]
    # ON DELETE does not use the partial index of `unique_when_not_deleted`.
    assert 'Index(None, "patient_id", "created_at", "id")' in badges
    # The patient may be deleted and hidden.
    assert "patient: Mapped[Patient | None] = relationship()" in visits
    # A null in a request is SQL NULL, as for every other column.
    assert "mapped_column(JSONB(none_as_null=True))" in patients
    # SQLAlchemy's own ARRAY lacks `contains`.
    assert "from sqlalchemy.dialects.postgresql import ARRAY, JSONB" in patients


def test_cascade_to_a_model_whose_module_is_imported_after_load_options(
    service: RenderService, interpreter: Interpreter, server: URL
) -> None:
    directory = service(example=False)
    calls = ["customer name:str", "account customer:ref:customers"]
    succeed_in(interpreter, directory, [call.split() for call in calls])
    repository = directory / "src/app/features/accounts/repository.py"
    options = (
        "\n\nfrom sqlalchemy.orm import selectinload\n\n"
        "WITH_CUSTOMER = selectinload(Account.customer)\n"
    )
    repository.write_text(repository.read_text() + options)

    succeed_in(interpreter, directory, [["invoice", "customer:ref:customers:cascade"]])

    migrate(interpreter, server, directory, "add models")


def test_tests_pass_after_soft_delete_is_turned_off(
    service: RenderService,
    render: Renderer,
    interpreter: Interpreter,
    server: URL,
    mypy_cache: Path,
    tmp_path: Path,
) -> None:
    directory = service(example=False)
    calls = [
        "customer name:str:unique",
        "account customer:ref:customers name:str",
        "card customer:ref:customers:set_null:optional number:int",
        "invoice customer:ref:customers:cascade number:int",
    ]
    succeed_in(interpreter, directory, [call.split() for call in calls])
    registry = (directory / "src/app/registry.py").read_text()
    own = tmp_path / "own"
    for folder in ("src/app/features", "tests/features"):
        shutil.copytree(directory / folder, own / folder)
    shutil.rmtree(directory)

    shutil.copytree(render(example=False, soft_delete=False), directory)
    shutil.copytree(own, directory, dirs_exist_ok=True)
    purging = "from app.purging import commands as purging\n", "    purging,\n"
    for line in purging:
        registry = registry.replace(line, "")
    (directory / "src/app/registry.py").write_text(registry)
    migrate(interpreter, server, directory, "add models")

    check(interpreter, server, directory, mypy_cache, pyright=True)
