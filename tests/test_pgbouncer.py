"""The suite of a service that is to run behind PgBouncer passes through a real one.

These tests exist only where PgBouncer is installed; the header of the run says whether.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from tests.combinations import furthest, title
from tests.pgbouncer import PGBOUNCER, pooled
from tests.processes import open_directory
from tests.rendering import Copy
from tests.services import EVERYTHING, SHORT, Interpreter, address

SERVICES: list[tuple[dict[str, object], list[str]]] = [
    (furthest(), EVERYTHING),
    ({"pooler": "pgbouncer", "pk_type": "int"}, SHORT),
]

if PGBOUNCER:

    @pytest.fixture
    def pooler(server: URL) -> Iterator[URL]:
        """The server of this worker, through a PgBouncer of the test's own."""
        with open_directory() as place, pooled(server, place) as url:
            yield url

    @pytest.mark.slow
    @pytest.mark.whole
    @pytest.mark.parametrize(
        ("answers", "stories"), SERVICES, ids=[title(answers) for answers, _ in SERVICES]
    )
    def test_a_service_passes_its_own_tests_through_pgbouncer(
        service: Copy,
        interpreter: Interpreter,
        pooler: URL,
        answers: dict[str, object],
        stories: list[str],
    ) -> None:
        interpreter.succeeds(service(**answers), *stories, DATABASE_URL=address(pooler))
