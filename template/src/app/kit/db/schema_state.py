"""Whether the schema of a database is the one that the running code needs."""

from collections.abc import Set
from dataclasses import dataclass
from functools import cache

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.db.migrate import PROJECT_ROOT

_APPLIED = text("SELECT version_num FROM alembic_version")
_THERE_IS = text(
    "SELECT found IS NOT NULL, has_table_privilege(found, 'SELECT')"
    " FROM (SELECT to_regclass('alembic_version')::oid AS found) looked"
)


class RevisionsHidden(Exception):
    """The role of the service may not see the revisions of the database."""


@dataclass(frozen=True)
class Revisions:
    """The migrations of the code."""

    heads: frozenset[str]
    known: frozenset[str]

    def fit(self, applied: Set[str]) -> bool:
        """Whether the code can work with a database at these revisions.

        One that the code does not know is a newer release's: its migration runs before the last
        old process is gone.
        """
        return self.heads <= applied or bool(applied - self.known)


@cache
def revisions_of_the_code() -> Revisions:
    """Read the revisions in `migrations/versions`."""
    script = ScriptDirectory.from_config(Config(toml_file=PROJECT_ROOT / "pyproject.toml"))
    known = frozenset(revision.revision for revision in script.walk_revisions())
    return Revisions(heads=frozenset(script.get_heads()), known=known)


async def applied_revisions(connection: AsyncConnection) -> frozenset[str]:
    """The revisions that the database is at; none where it was never migrated.

    Raises RevisionsHidden.
    """
    # Checked first: a statement that fails would abort the transaction of the caller.
    there_is, may_read = (await connection.execute(_THERE_IS)).one()
    if not there_is:
        return frozenset()
    if not may_read:
        raise RevisionsHidden
    return frozenset(await connection.scalars(_APPLIED))


def pending_revisions(script: ScriptDirectory, applied: Set[str]) -> list[Script]:
    """The migrations that a database at these revisions lacks, in the order of their application.

    An applied revision that the code does not have is ignored.
    """
    every = list(script.walk_revisions())
    known = applied & {each.revision for each in every}
    done = {each.revision for head in known for each in script.iterate_revisions(head, "base")}
    return [each for each in reversed(every) if each.revision not in done]


def named(revisions: Set[str]) -> str:
    """The revisions for a sentence."""
    return ", ".join(sorted(revisions)) or "none"


def pending_migrations(server: str, applied: Set[str], heads: Set[str], program: str) -> str:
    """The message about a database that lacks migrations, with the command that applies them."""
    return (
        f"The {server} is at migration {named(applied)}, the code at {named(heads)}. Apply the "
        f"pending migrations with `{program} migrate`."
    )
