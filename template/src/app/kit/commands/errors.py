"""Exit codes: 0 for success, 2 for an error that the user can fix, as docs/cli.md documents.

1 is for a check that found something (`doctor`, `check`), and for a bug, with its traceback.
"""

from alembic.util import CommandError

from app.kit.db.waiting import DatabaseUnreachable
from app.kit.errors import Unavailable
from app.kit.settings import SettingsError


class Refused(Exception):
    """The command cannot run; the message is one sentence that names the remedy."""


# Printed as one message, without a traceback.
MENDABLE = (
    CommandError,
    DatabaseUnreachable,
    Refused,
    SettingsError,
    Unavailable,
)
