"""The document of the API: names to call, groups with a description, errors; and its copy."""

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
from tests.rig.examples import Untold, bodies, refusals

ROOT = Path(__file__).parents[2]
# Stable, because clients call methods by it; readable, because people call those methods.
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

Run = Callable[..., Any]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation with its path."""
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `openapi` in an empty directory, where no database is configured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    commands: Typer = cli
    return lambda *words: CliRunner().invoke(commands, ["openapi", *words])


def test_every_operation_has_a_name_of_its_own(app: FastAPI) -> None:
    names = [operation["operationId"] for _, operation in operations(app.openapi())]
    assert len(set(names)) == len(names)
    assert [name for name in names if not NAME.fullmatch(name)] == []


def test_every_operation_is_in_a_group_and_says_what_it_does(app: FastAPI) -> None:
    document = app.openapi()
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    for path, operation in operations(document):
        assert operation.get("tags"), f"{path}: give its router `tags`"
        assert set(operation["tags"]) <= described, f"{path}: its module has no docstring"
        assert operation.get("description"), f"{path}: give its endpoint a docstring"
        assert operation.get("summary"), f"{path}: a list of operations shows this line"


def test_an_example_is_what_the_endpoint_accepts(app: FastAPI) -> None:
    for body in bodies(app):
        # Whoever leaves a field without one has said nothing wrong.
        with suppress(Untold):
            assert refusals(app, *body) == []


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


def test_every_error_is_a_problem_with_an_example(app: FastAPI) -> None:
    for path, operation in operations(app.openapi()):
        errors = {status: it for status, it in operation["responses"].items() if status >= "400"}
        takes_input = operation.keys() & {"parameters", "requestBody"}
        assert errors.keys() >= ({"422", "503"} if takes_input else {"503"})
        for status, response in errors.items():
            (kind, content) = next(iter(response["content"].items()))
            assert kind == "application/problem+json", f"{status} of {path}"
            assert content["example"]["status"] == int(status)


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


def test_the_copy_of_this_repository_is_current(app: FastAPI) -> None:
    copy = ROOT / COPY
    # A team that wants one writes it once; from then on it is kept.
    if copy.is_file():
        assert copy.read_text(encoding="utf-8") == text_of_document(app), "write it: `openapi`"
