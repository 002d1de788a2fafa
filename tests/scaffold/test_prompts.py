"""Without fields, `scaffold` prompts for them on a terminal."""

import pytest
from sqlalchemy import URL

from tests.rendering import RenderService
from tests.scaffold.services import PATHS
from tests.services import Interpreter, database_url, new_database
from tests.terminal import terminal

pytestmark = pytest.mark.slow

COMMAND = "from app.cli import main; main()"


def test_prompt_rejects_invalid_field_and_continues(
    service: RenderService, interpreter: Interpreter, server: URL
) -> None:
    directory = service(example=False)
    command = [interpreter.python, "-c", COMMAND, "scaffold", "note", "--dry-run"]
    variables = {"PYTHONPATH": PATHS, "DATABASE_URL": database_url(new_database(server))}
    with terminal(*command, cwd=directory, **variables) as program:
        program.answer("Field", "title:wrong")
        program.expect("there is no type `wrong`")
        program.answer("Field", "title:str:40")
        program.answer("Field")
        program.expect("title: Mapped[str] = mapped_column(String(40))")
        assert program.wait() == 0
