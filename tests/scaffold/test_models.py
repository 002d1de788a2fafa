"""The models that `scaffold` writes."""

import pytest

from tests.rendering import RenderService
from tests.scaffold.services import succeed_in
from tests.services import Interpreter

pytestmark = pytest.mark.slow


def test_models_follow_rules_that_random_models_rarely_meet(
    service: RenderService, interpreter: Interpreter
) -> None:
    directory = service(example=False)
    calls = ["patient name:str languages:str[] notes:json:optional", "visit patient:ref:patients"]
    succeed_in(interpreter, directory, [call.split() for call in calls])
    patients, visits = [
        (directory / f"src/app/features/{name}/models.py").read_text()
        for name in ("patients", "visits")
    ]
    # The patient may be deleted and hidden.
    assert "patient: Mapped[Patient | None] = relationship()" in visits
    # A null in a request is SQL NULL, as for every other column.
    assert "mapped_column(JSONB(none_as_null=True))" in patients
    # SQLAlchemy's own ARRAY lacks `contains`.
    assert "from sqlalchemy.dialects.postgresql import ARRAY, JSONB" in patients
