"""Conformance suite: checks a service's kit with models that are not the example's.

`tests/test_conformance.py` copies this package into a rendered service as `tests/conformance` and
runs it there, with the service's own fixtures (`tests/conftest.py`).
"""
