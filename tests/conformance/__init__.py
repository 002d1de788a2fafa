"""Conformance suite: tests the kit of a service.

`tests/suite.py` copies this package into a service as `tests/conformance`, to run it there with the
service's own fixtures (`tests/conftest.py`). `uv run python -m tests.conformance --service PATH`
does both.
"""
