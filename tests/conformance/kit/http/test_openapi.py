"""Tags of the OpenAPI schema, and the command that writes a copy."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import Mock

import pytest
from fastapi import APIRouter, Body, FastAPI
from pydantic import BaseModel, Field
from typer import Typer
from typer.testing import CliRunner

from app.about import NAME
from app.cli import cli
from app.kit.cli.commands import openapi
from app.kit.http.application import Application
from app.kit.http.openapi.document import render_openapi
from app.kit.migrations.runner import PROJECT_ROOT
from tests.support.examples import MissingExample, bodies, validation_errors

Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `openapi` in an empty directory without a configured database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    commands: Typer = cli
    return lambda *words: CliRunner().invoke(commands, ["openapi", *words])


def test_invalid_or_missing_example_is_detected() -> None:
    application = Application()

    @application.put("/kit/invalid")
    async def invalid(words: Annotated[list[str], Body(examples=[["a", 1]])]) -> None:
        """Accept a list that its example does not match."""
        raise NotImplementedError(words)

    @application.put("/kit/without-example")
    async def without_example(
        first: Annotated[str, Body()], second: Annotated[int, Body()]
    ) -> None:
        """Accept a body without an example."""
        raise NotImplementedError(first, second)

    of = {name: (name, *rest) for name, *rest in bodies(application)}
    assert validation_errors(application, *of["invalid"]) == [
        "invalid.1: Input should be a valid string"
    ]
    with pytest.raises(MissingExample, match=r"without_example\.first"):
        validation_errors(application, *of["without_example"])


class Category(BaseModel):
    name: str = Field(examples=["Books"])
    children: list["Category"]


def test_recursive_schema_without_example_has_no_example() -> None:
    application = Application()

    @application.put("/kit/categories")
    async def replace(category: Category) -> None:
        """Accept a category and those below it."""
        raise NotImplementedError(category)

    [body] = bodies(application)
    with pytest.raises(MissingExample, match=r"replace\.children\[\]"):
        validation_errors(application, *body)


def test_tag_is_described_by_the_docstring_of_its_module() -> None:
    application = Application()
    router = APIRouter(tags=["kit"])

    @router.get("/kit")
    async def read_kit() -> None:
        """Return nothing."""

    application.include_router(router)
    assert __doc__
    assert application.openapi()["tags"] == [{"name": "kit", "description": __doc__}]


def test_custom_tag_description_is_kept() -> None:
    tags = [{"name": "kit", "description": "Said."}]
    assert Application(openapi_tags=tags).openapi()["tags"] == tags


def test_failed_build_of_the_schema_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    application = Application()

    with monkeypatch.context() as patch:
        patch.setattr("app.kit.http.application.document_errors", Mock(side_effect=RuntimeError))
        with pytest.raises(RuntimeError):
            application.openapi()

    assert application.openapi() == Application().openapi()


def test_openapi_copy_is_written_and_current(run: Run, app: FastAPI) -> None:
    copy = Path("clients/openapi.json")
    assert run(str(copy), "--check").exit_code == 1
    assert run(str(copy)).exit_code == 0
    assert copy.read_text(encoding="utf-8") == render_openapi(app)
    assert run(str(copy), "--check").exit_code == 0
    copy.write_text("{}")
    assert run(str(copy), "--check").exit_code == 1
    assert run("-").stdout == render_openapi(app)


def test_default_openapi_copy_is_in_the_project(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Mock()
    monkeypatch.setattr(openapi, "write_or_check", write)
    assert run().exit_code == 0
    assert write.call_args.args[::2] == (PROJECT_ROOT / "docs/openapi.json", f"{NAME} openapi")
