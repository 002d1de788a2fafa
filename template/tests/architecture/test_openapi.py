"""The document of the API: names to call, groups with a description, errors; and its copy."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from app.kit.openapi import COPY, text_of_document
from tests.rig.examples import Untold, bodies, refusals

ROOT = Path(__file__).parents[2]
# Stable, because clients call methods by it; readable, because people call those methods.
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation with its path."""
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation


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


def test_every_error_is_a_problem_with_an_example(app: FastAPI) -> None:
    for path, operation in operations(app.openapi()):
        errors = {status: it for status, it in operation["responses"].items() if status >= "400"}
        takes_input = operation.keys() & {"parameters", "requestBody"}
        assert errors.keys() >= ({"422", "503"} if takes_input else {"503"})
        for status, response in errors.items():
            (kind, content) = next(iter(response["content"].items()))
            assert kind == "application/problem+json", f"{status} of {path}"
            assert content["example"]["status"] == int(status)


def test_the_copy_of_this_repository_is_current(app: FastAPI) -> None:
    copy = ROOT / COPY
    # A team that wants one writes it once; from then on it is kept.
    if copy.is_file():
        assert copy.read_text(encoding="utf-8") == text_of_document(app), "write it: `openapi`"
