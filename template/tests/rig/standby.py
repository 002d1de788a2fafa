"""A real streaming standby: a second server that repeats what the first one writes."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL

from app.kit.local_postgres.binaries import find_binaries
from app.kit.local_postgres.cluster import Cluster
from app.kit.local_postgres.server import temporary


@dataclass(frozen=True)
class Standby(Cluster):
    """A cluster that begins as a copy of another, and goes on following it."""

    primary: URL = field(kw_only=True)

    def initdb(self, bindir: Path) -> list[str]:
        """The command that copies the primary, and writes down whom to follow."""
        where = [f"--{name}={self.primary.query[name]}" for name in ("host", "port")]
        command = [str(bindir / "pg_basebackup"), *where, f"--username={self.primary.username}"]
        return [*command, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]


def standby_of(primary: URL, place: Path) -> AbstractContextManager[URL]:
    """The URL of a standby of a throw-away server; the place decides on it, and is made for it.

    Raises PostgresUnavailable.
    """
    return temporary(Standby(place, find_binaries(), durable=False, primary=primary))
