"""Request and response models of samples."""

from app.kit.db.ids import Id
from app.kit.schemas import Input, Line, Output
from tests.conformance.features.schema_changes.models import Grade


class SampleIn(Input):
    """A new sample."""

    label: Line
    weight: int
    grade: Grade


class SampleOut(Output):
    """A sample."""

    id: Id
    label: str
    weight: int
    grade: Grade
