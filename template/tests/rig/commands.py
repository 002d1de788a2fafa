"""The commands of the service, run as its console command runs them."""

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

# Elsewhere they may lead to a database that is not the test's.
_ELSEWHERE = ("DATABASE_URL", "DATABASE_REPLICA_URL", "DATABASE_MIGRATION_URL")


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    code: object
    out: str
    err: str


def run(url: URL | None, *arguments: str, **variables: str) -> Ended:
    """Run a command on a database, with these environment variables."""
    # In a thread, because a test may run inside an event loop, and the command has one.
    with environment(url, **variables), ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_run, arguments).result()


@contextmanager
def environment(url: URL | None, **variables: str) -> Generator[None]:
    """The environment variables that lead to a database, or to none, and these."""
    given = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    if url:
        given["DATABASE_URL"] = url.render_as_string(hide_password=False)
    with patch.dict(os.environ, given | variables, clear=True):
        yield


def _run(arguments: tuple[str, ...]) -> Ended:
    out, err, hook = StringIO(), StringIO(), sys.excepthook
    # A process of its own would have no handler that an earlier one left behind.
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
    return Ended(code, out.getvalue(), err.getvalue())
