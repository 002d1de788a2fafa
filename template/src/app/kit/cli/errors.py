"""Errors that the user can fix. docs/cli.md documents the exit codes.

0 is success. 1 is a check that found a problem, or a bug with its traceback. 2 is an error that the
user can fix.
"""

from alembic.util import CommandError

from app.kit.db.connections.startup_checks import DatabaseUnreachable
from app.kit.errors.problems import Unavailable
from app.kit.settings import SettingsError


class CommandFailed(Exception):
    """The command cannot run. The message says why, and what to do."""


# Printed as one message, without a traceback.
USER_ERRORS = (CommandError, DatabaseUnreachable, CommandFailed, SettingsError, Unavailable)
