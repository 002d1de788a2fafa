"""The OpenAPI schema: operation ids, tags, descriptions, errors, and its copy in the repository."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from app.kit.http.openapi.document import OPENAPI_FILE, render_openapi
from tests.support.examples import MissingExample, bodies, validation_errors

ROOT = Path(__file__).parents[2]
# Operation ids become method names of generated clients, so they are stable and readable.
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every operation with its path."""
    for path, item in schema["paths"].items():
        for operation in item.values():
            yield path, operation


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
        # A part of the schema may have no example.
        with suppress(MissingExample):
            assert validation_errors(app, *body) == [], "give the fields valid `examples`"


def test_every_error_is_a_problem_with_an_example(app: FastAPI) -> None:
    for path, operation in operations(app.openapi()):
        errors = {code: item for code, item in operation["responses"].items() if code >= "400"}
        takes_input = operation.keys() & {"parameters", "requestBody"}
        assert errors.keys() >= ({"422", "503"} if takes_input else {"503"})
        for status, response in errors.items():
            media_type, content = next(iter(response["content"].items()))
            assert media_type == "application/problem+json", f"{status} of {path}"
            assert content["example"]["status"] == int(status)


def test_openapi_copy_of_this_repository_is_current(app: FastAPI) -> None:
    copy = ROOT / OPENAPI_FILE
    # The copy is optional; once a team writes it, this test keeps it current.
    if copy.is_file():
        assert copy.read_text(encoding="utf-8") == render_openapi(app), "write it: `openapi`"
