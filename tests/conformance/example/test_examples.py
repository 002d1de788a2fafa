"""The OpenAPI schema has a valid example for each request body."""

from fastapi import FastAPI

from tests.support.examples import bodies, validation_errors


def test_every_request_body_example_is_valid(app: FastAPI) -> None:
    examples = list(bodies(app, "app.example."))
    assert examples
    for body in examples:
        assert validation_errors(app, *body) == []
