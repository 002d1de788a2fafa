"""The OpenAPI schema: operation ids, tags, descriptions, errors, and its copy in the repository."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, FastAPI
from typer import Typer
from typer.testing import CliRunner

from app.cli import cli
from app.kit.application import Application
from app.kit.openapi import COPY, text_of_document
from tests.rig.examples import MissingExample, bodies, validation_errors

ROOT = Path(__file__).parents[2]
# Operation ids become method names of generated clients, so they are stable and readable.
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

Run = Callable[..., Any]


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every operation with its path."""
    for path, item in schema["paths"].items():
        for operation in item.values():
            yield path, operation


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `openapi` in an empty directory without a configured database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    commands: Typer = cli
    return lambda *words: CliRunner().invoke(commands, ["openapi", *words])


def test_every_operation_id_is_unique_and_readable(app: FastAPI) -> None:
    names = [operation["operationId"] for _, operation in operations(app.openapi())]
    assert len(set(names)) == len(names)
    assert [name for name in names if not NAME.fullmatch(name)] == []


def test_every_operation_has_tag_description_and_summary(app: FastAPI) -> None:
    schema = app.openapi()
    tags = {tag["name"] for tag in schema["tags"] if tag["description"]}
    for path, operation in operations(schema):
        assert operation.get("tags"), f"{path}: give its router `tags`"
        assert set(operation["tags"]) <= tags, f"{path}: its module has no docstring"
        assert operation.get("description"), f"{path}: give its endpoint a docstring"
        assert operation.get("summary"), f"{path}: lists of operations show the summary"


def test_examples_are_valid_requests(app: FastAPI) -> None:
    for body in bodies(app):
        # Examples are optional here.
        with suppress(MissingExample):
            assert validation_errors(app, *body) == []


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


def test_every_error_is_a_problem_with_an_example(app: FastAPI) -> None:
    for path, operation in operations(app.openapi()):
        errors = {status: it for status, it in operation["responses"].items() if status >= "400"}
        takes_input = operation.keys() & {"parameters", "requestBody"}
        assert errors.keys() >= ({"422", "503"} if takes_input else {"503"})
        for status, response in errors.items():
            (kind, content) = next(iter(response["content"].items()))
            assert kind == "application/problem+json", f"{status} of {path}"
            assert content["example"]["status"] == int(status)


def test_tag_is_described_by_the_docstring_of_its_module() -> None:
    application = Application()
    router = APIRouter(tags=["kit"])

    @router.get("/kit")
    async def read_kit() -> None:
        """Read it."""

    application.include_router(router)
    assert __doc__
    assert application.openapi()["tags"] == [{"name": "kit", "description": __doc__}]


def test_custom_tag_description_is_kept() -> None:
    tags = [{"name": "kit", "description": "Said."}]
    assert Application(openapi_tags=tags).openapi()["tags"] == tags


def test_openapi_copy_is_written_and_current(run: Run, app: FastAPI) -> None:
    assert run("--check").exit_code == 1
    assert run().exit_code == 0
    assert COPY.read_text(encoding="utf-8") == text_of_document(app)
    assert run("--check").exit_code == 0
    COPY.write_text("{}")
    assert run("--check").exit_code == 1
    assert run("-").stdout == text_of_document(app)


def test_openapi_copy_of_this_repository_is_current(app: FastAPI) -> None:
    copy = ROOT / COPY
    # The copy is optional; once a team writes it, this test keeps it current.
    if copy.is_file():
        assert copy.read_text(encoding="utf-8") == text_of_document(app), "write it: `openapi`"
