"""Generated requests to every endpoint: no server errors, and only documented responses.

By default, each endpoint of your features receives a few requests. For fifty times as many:
`pytest --hypothesis-profile=deep tests/architecture/test_fuzz.py`.
"""

from collections.abc import Generator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import URL

from app.kit.cli.seeding import seed_all
from app.kit.db.session import Database
from app.registry import SEEDERS
from tests.support.database import clone, settings_for
from tests.support.fuzz import FuzzedService, fuzz_settings, modules, operations

# Endpoints to exclude, such as "POST /payments": those that call other services, or that send an
# endless stream.
EXCLUDED: list[str] = [
    # ---- the template's end here, your endpoints follow ----
]

# The template's own tests cover the endpoints of these packages.
TEMPLATE_PACKAGES = ("app.kit.", "app.example.")
# Each seeder adds this number of rows before the test.
ROWS = 5


def cases(*, of_template: bool = False) -> Generator[tuple[str, str]]:
    """Yield each operation with valid requests, and with invalid ones."""
    module_of = modules()
    for name, operation in operations().items():
        # An operation without input has no invalid requests.
        has_input = "parameters" in operation or "requestBody" in operation
        is_of_template = module_of[operation["operationId"]].startswith(TEMPLATE_PACKAGES)
        for mode in ("positive", "negative") if has_input else ("positive",):
            if name not in EXCLUDED and is_of_template == of_template:
                yield name, mode


@pytest.fixture(scope="module")
def service(template: URL) -> Generator[FuzzedService]:
    """The service on a separate database with the rows of all seeders."""
    with clone(template) as url, FuzzedService.start(settings_for(url)) as service:
        database: Database = service.app.state.database
        progress: list[int] = []
        service.portal.call(seed_all, database, SEEDERS, ROWS, 1, progress.append)
        service.find_rows([name for name in operations() if name not in EXCLUDED])
        yield service


# Without endpoints there is nothing to test.
if CASES := list(cases()):

    @pytest.mark.parametrize(("endpoint", "mode"), CASES)
    @fuzz_settings(settings().max_examples // 25)
    @given(data=st.data())
    def test_response_to_generated_request_is_described_in_openapi(
        endpoint: str, mode: str, data: st.DataObject, service: FuzzedService
    ) -> None:
        service.check(endpoint, mode, data)
