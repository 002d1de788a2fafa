"""`seed` shows its progress in a terminal."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

from sqlalchemy import URL

from tests.support.commands import environment


def test_seed_shows_progress_for_large_amounts(own_database_url: URL) -> None:
    with environment(own_database_url, PYTHONPATH=os.pathsep.join(sys.path), COLUMNS="100"):
        shown = "".join(run_in_terminal("seed --amount 1001"))
    assert "[####" in shown
    assert "100%" in shown
    assert "users: 1001 added" in shown


def run_in_terminal(arguments: str) -> Iterator[str]:
    """Yield the output of a command that runs in a terminal."""
    terminal, end = pty.openpty()
    program = [sys.executable, "-c", "from app.cli import main; main()", *arguments.split()]
    with subprocess.Popen(program, stdin=end, stdout=end, stderr=end) as process:
        os.close(end)
        # At the end of the output, Linux raises an error and other systems return nothing.
        with suppress(OSError):
            while part := os.read(terminal, 4096):
                yield part.decode(errors="replace")
        os.close(terminal)
        assert process.wait() == 0
