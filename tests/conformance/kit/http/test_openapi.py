"""The document of the API: its groups, and the command that writes a copy."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, FastAPI
from typer import Typer
from typer.testing import CliRunner

from app.cli import cli
from app.kit.application import Application
from app.kit.openapi import COPY, text_of_document
from tests.rig.examples import Untold, bodies, refusals

Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `openapi` in an empty directory, where no database is configured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    commands: Typer = cli
    return lambda *words: CliRunner().invoke(commands, ["openapi", *words])


def test_an_example_that_is_refused_or_missing_is_noticed() -> None:
    application = Application()

    @application.put("/kit/wrong")
    async def wrong(words: Annotated[list[str], Body(examples=[["a", 1]])]) -> None:
        """Take what its example is not."""
        raise NotImplementedError(words)

    @application.put("/kit/untold")
    async def untold(first: Annotated[str, Body()], second: Annotated[int, Body()]) -> None:
        """Take something, without an example."""
        raise NotImplementedError(first, second)

    of = {name: (name, *rest) for name, *rest in bodies(application)}
    assert refusals(application, *of["wrong"]) == ["wrong.1: Input should be a valid string"]
    with pytest.raises(Untold, match=r"untold\.first"):
        refusals(application, *of["untold"])


def test_a_group_is_described_by_the_modules_that_its_endpoints_are_in() -> None:
    application = Application()
    router = APIRouter(tags=["kit"])

    @router.get("/kit")
    async def read_kit() -> None:
        """Read it."""

    application.include_router(router)
    assert __doc__
    assert application.openapi()["tags"] == [{"name": "kit", "description": __doc__}]


def test_what_a_team_says_of_its_groups_is_kept() -> None:
    said = [{"name": "kit", "description": "Said."}]
    assert Application(openapi_tags=said).openapi()["tags"] == said


def test_the_copy_is_written_and_then_current(run: Run, app: FastAPI) -> None:
    assert run("--check").exit_code == 1
    assert run().exit_code == 0
    assert COPY.read_text(encoding="utf-8") == text_of_document(app)
    assert run("--check").exit_code == 0
    COPY.write_text("{}")
    assert run("--check").exit_code == 1
    assert run("-").stdout == text_of_document(app)
