"""Features of the conformance suite, written like a team's own features.

Each feature is a package with `models.py`, `schemas.py`, `repository.py` and `router.py` as needed.
"""

from types import ModuleType

from fastapi import APIRouter

from tests.conformance.features.billing import models as billing
from tests.conformance.features.column_types.router import ROUTERS as COLUMN_TYPES
from tests.conformance.features.datetimes.router import router as datetimes
from tests.conformance.features.existing_tables import models as existing_tables
from tests.conformance.features.hierarchies import models as hierarchies
from tests.conformance.features.inheritance import models as inheritance
from tests.conformance.features.library import models as library
from tests.conformance.features.locked_tables.router import locked, unlocked
from tests.conformance.features.notes.router import router as notes
from tests.conformance.features.ownership import models as ownership
from tests.conformance.features.purging import models as purging
from tests.conformance.features.renamed_attributes import models as renamed_attributes
from tests.conformance.features.requests.router import plain as plain_requests
from tests.conformance.features.requests.router import router as requests
from tests.conformance.features.schema_changes.router import router as samples
from tests.conformance.features.sorting import models as sorting
from tests.conformance.features.stored_values.router import router as stored_values
from tests.conformance.features.unusual_mappings import models as unusual_mappings

ROUTERS: list[APIRouter] = [
    locked,
    unlocked,
    notes,
    datetimes,
    requests,
    plain_requests,
    samples,
    stored_values,
    *COLUMN_TYPES,
]

# Features without endpoints.
MODELS: list[ModuleType] = [
    unusual_mappings,
    billing,
    existing_tables,
    hierarchies,
    inheritance,
    library,
    ownership,
    purging,
    renamed_attributes,
    sorting,
]
