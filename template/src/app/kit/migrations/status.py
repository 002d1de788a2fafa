"""Compare the migrations applied to a database with the migrations of the code."""

from collections.abc import Set
from dataclasses import dataclass
from functools import cache

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.migrations.runner import PROJECT_ROOT

_APPLIED = text("SELECT version_num FROM alembic_version")
_EXISTS = text(
    "SELECT found IS NOT NULL, has_table_privilege(found, 'SELECT')"
    " FROM (SELECT to_regclass('alembic_version')::oid AS found) looked"
)


class RevisionTableUnreadable(Exception):
    """The database role may not read the table `alembic_version`."""


@dataclass(frozen=True)
class CodeRevisions:
    """The migrations of the code."""

    heads: frozenset[str]
    known: frozenset[str]

    def is_compatible(self, applied: Set[str]) -> bool:
        """Return whether the code can run on a database with these applied revisions.

        An unknown revision belongs to a newer release: during a rollout, migrations run while old
        processes still serve requests.
        """
        return self.heads <= applied or bool(applied - self.known)


@cache
def load_revisions() -> CodeRevisions:
    """Read the revisions in `migrations/versions`."""
    script = ScriptDirectory.from_config(Config(toml_file=PROJECT_ROOT / "pyproject.toml"))
    known = frozenset(revision.revision for revision in script.walk_revisions())
    return CodeRevisions(heads=frozenset(script.get_heads()), known=known)


async def applied_revisions(connection: AsyncConnection) -> frozenset[str]:
    """Return the current revisions of the database; empty if no migration was applied.

    Raises RevisionTableUnreadable if the role may not read them.
    """
    # Check first, because a failed statement would abort the caller's transaction.
    exists, may_read = (await connection.execute(_EXISTS)).one()
    if not exists:
        return frozenset()
    if not may_read:
        raise RevisionTableUnreadable
    return frozenset(await connection.scalars(_APPLIED))


def pending_revisions(script: ScriptDirectory, applied: Set[str]) -> list[Script]:
    """Return the migrations that are not applied yet, in the order in which to apply them.

    Ignores applied revisions that the code does not contain.
    """
    every = list(script.walk_revisions())
    known = applied & {each.revision for each in every}
    done = {each.revision for head in known for each in script.iterate_revisions(head, "base")}
    return [each for each in reversed(every) if each.revision not in done]


def format_revisions(revisions: Set[str]) -> str:
    """Return the revisions as text for a message."""
    return ", ".join(sorted(revisions)) or "none"


def pending_migrations(server: str, applied: Set[str], heads: Set[str], program: str) -> str:
    """Return the message about pending migrations, with the command that applies them."""
    return (
        f"The {server} is at migration {format_revisions(applied)}, the code at "
        f"{format_revisions(heads)}. Apply the pending migrations with `{program} migrate`."
    )
