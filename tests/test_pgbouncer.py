"""Services for PgBouncer pass their own tests through PgBouncer.

These tests exist only if PgBouncer is installed; the header of the test run shows it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.combinations import combination_id, furthest_from_default, with_pgbouncer
from tests.pgbouncer import PGBOUNCER, start_pgbouncer
from tests.processes import free_port, open_directory, run, serving
from tests.rendering import RenderService
from tests.services import Interpreter, database_url, new_database
from tests.suite import SUITE_FOLDER, add_suite

SERVICES = with_pgbouncer()

if PGBOUNCER:

    @pytest.fixture
    def pooler(server: URL) -> Iterator[URL]:
        """The URL of a PgBouncer in front of this worker's PostgreSQL."""
        with open_directory() as directory, start_pgbouncer(server, directory) as url:
            yield url

    @pytest.mark.slow
    @pytest.mark.full_suite
    @pytest.mark.parametrize("answers", SERVICES, ids=map(combination_id, SERVICES))
    def test_service_passes_its_tests_through_pgbouncer(
        service: RenderService,
        interpreter: Interpreter,
        pooler: URL,
        answers: dict[str, object],
    ) -> None:
        interpreter.run_module(
            service(**answers), "pytest", "-q", DATABASE_URL=database_url(pooler)
        )

    @pytest.mark.slow
    @pytest.mark.full_suite
    def test_furthest_service_passes_kit_tests_through_pgbouncer(
        service: RenderService, interpreter_of: Callable[[str], Interpreter], pooler: URL
    ) -> None:
        newer = interpreter_of("3.13")

        # Only these parts of the kit send statements.
        newer.run_module(
            add_suite(service(**furthest_from_default())),
            *(
                "pytest",
                "-q",
                *(f"{SUITE_FOLDER}/kit/{part}" for part in ("db", "queries", "writes")),
            ),
            DATABASE_URL=database_url(pooler),
        )

    @pytest.mark.slow
    def test_doctor_detects_pgbouncer(
        service: RenderService, interpreter: Interpreter, server: URL, pooler: URL
    ) -> None:
        directory = service(pooler="pgbouncer")
        database = new_database(server)
        behind = pooler.set(database=database.database)

        def run_command(command: str, url: URL, pooler_setting: str) -> tuple[int, str]:
            words = [interpreter.python, "-c", "from app.cli import main; main()", command]
            variables = {"DATABASE_URL": database_url(url), "DATABASE_POOLER": pooler_setting}
            result = run(*words, cwd=directory, PYTHONPATH="src", **variables)
            return result.returncode, result.stdout

        assert run_command("migrate", database, "none")[0] == 0

        code, output = run_command("doctor", behind, "pgbouncer")
        assert (code, "warning" in output) == (0, False), output
        assert "ok       pooler: present, as DATABASE_POOLER says" in output
        assert "ok       connections: limited by the pooler" in output

        code, output = run_command("doctor", behind, "none")
        assert code == 1
        assert "failure  pooler: a pooler such as PgBouncer is in front of PostgreSQL" in output
        assert "set DATABASE_POOLER=pgbouncer" in output

    @pytest.mark.slow
    def test_dev_serves_through_pgbouncer(
        service: RenderService,
        interpreter: Interpreter,
        server: URL,
        pooler: URL,
        tmp_path: Path,
    ) -> None:
        url = database_url(pooler.set(database=new_database(server).database))
        words = (interpreter.python, "-c", "from app.cli import main; main()", "dev")
        port = free_port()

        with serving(
            *words,
            "--port",
            str(port),
            cwd=service(pooler="pgbouncer"),
            port=port,
            log=tmp_path / "log",
            DATABASE_URL=url,
            PYTHONPATH="src:devtools",
        ) as running:
            running.wait_until_ready(30)
