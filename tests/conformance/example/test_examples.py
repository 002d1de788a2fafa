"""Whoever reads the document of the API sees what to send."""

from fastapi import FastAPI

from tests.rig.examples import bodies, refusals


def test_every_body_has_an_example_that_is_accepted(app: FastAPI) -> None:
    shown = list(bodies(app, "app.example."))
    assert shown
    for body in shown:
        assert refusals(app, *body) == []
