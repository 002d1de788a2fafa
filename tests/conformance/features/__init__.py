"""Features of the conformance suite, written as a team would write them.

Each feature is a package with `models.py`, `schemas.py`, `repository.py` and `router.py` as needed.
"""

from fastapi import APIRouter

from tests.conformance.features.notes.router import router as notes
from tests.conformance.features.schema_changes.router import router as samples

ROUTERS: list[APIRouter] = [
    notes,
    samples,
]
