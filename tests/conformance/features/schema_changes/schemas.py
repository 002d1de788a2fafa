"""Request and response models of samples."""

from app.kit.db.ids import Id
from app.kit.http.schemas import RequestModel, ResponseModel, ShortStr
from tests.conformance.features.schema_changes.models import Grade


class SampleIn(RequestModel):
    """A new sample."""

    label: ShortStr
    weight: int
    grade: Grade


class SampleOut(ResponseModel):
    """A sample."""

    id: Id
    label: str
    weight: int
    grade: Grade
