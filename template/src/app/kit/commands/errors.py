"""How a command ends: 0 where it is done, 2 where the user can mend what stood in the way.

1 is for a check that found something (`doctor`, `diagram --check`), and for a bug, with its trace.
docs/cli.md says the same to who runs them.
"""

from alembic.util import CommandError

from app.kit.db.waiting import DatabaseUnreachable
from app.kit.errors import Unavailable
from app.kit.local_postgres import PostgresUnavailable
from app.kit.settings import SettingsError


class Refused(Exception):
    """A command cannot do what it was asked for; a sentence that says what to do instead."""


# Told as one message, without a trace.
MENDABLE = (
    CommandError,
    DatabaseUnreachable,
    PostgresUnavailable,
    Refused,
    SettingsError,
    Unavailable,
)
