"""Run the service's commands in the test process."""

import logging
import os
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import NamedTuple
from unittest.mock import patch

from sqlalchemy import URL

from app.about import NAME
from app.cli import main
from tests.support.authentication import auth_variables

# Unset in tests: these variables could point to a database other than the test's.
_DATABASE_VARIABLES = ("DATABASE_URL", "DATABASE_REPLICA_URL", "DATABASE_MIGRATION_URL")


class CommandResult(NamedTuple):
    """Exit code and output of a command."""

    code: object
    out: str
    err: str


def run(url: URL | None, *arguments: str, **variables: str) -> CommandResult:
    """Run a command on a database, with these environment variables."""
    # In a thread: a test may already run an event loop, and the command starts its own.
    with environment(url, **variables), ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_run, arguments).result()


@contextmanager
def environment(url: URL | None, **variables: str) -> Generator[None]:
    """Set DATABASE_URL, or unset it for None, and these environment variables."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in _DATABASE_VARIABLES
    }
    inherited |= auth_variables()
    if url:
        inherited["DATABASE_URL"] = url.render_as_string(hide_password=False)
    with patch.dict(os.environ, inherited | variables, clear=True):
        yield


def _run(arguments: tuple[str, ...]) -> CommandResult:
    out, err, hook = StringIO(), StringIO(), sys.excepthook
    # Remove log handlers that an earlier command installed in this process.
    with (
        patch.object(logging.getLogger(), "handlers", []),
        patch.object(sys, "argv", [NAME, *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        else:
            code = 0
        finally:
            sys.excepthook = hook
    return CommandResult(code, out.getvalue(), err.getvalue())
