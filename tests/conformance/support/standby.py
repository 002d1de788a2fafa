"""A PostgreSQL standby with streaming replication."""

from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import URL

from local_postgres.binaries import find_binaries
from local_postgres.server import temporary
from local_postgres.supervisor import Cluster


def standby_of(primary: URL, root: Path) -> AbstractContextManager[URL]:
    """Start a standby of an ephemeral server in the new directory `root`, and yield its URL.

    Raises PostgresUnavailable.
    """
    copy = ["pg_basebackup", "--username=postgres", "--write-recovery-conf", "--checkpoint=fast"]
    copy += [f"--{name}={primary.query[name]}" for name in ("host", "port")]
    return temporary(Cluster(root, *find_binaries(), initdb=copy))
