"""Where a cluster lives, how it is initialised, and with which settings it runs."""

import os
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from app.kit.local_postgres.account import Account, can_reach, hand_over
from app.kit.local_postgres.binaries import Binaries

PORT = 5432  # names the socket file; nothing listens on the network
TEMPORARY = Path("/tmp")  # noqa: S108  a socket's path is limited to about 100 bytes: no TMPDIR
PERSISTENT = Path("/var/tmp")  # noqa: S108  survives a reboot, open to every account
MEMORY = Path("/dev/shm")  # noqa: S108  open to every account; containers may have little of it
ROOM_IN_MEMORY = 2**30  # several times what the suite of a service takes
PREFIX = "local-postgres-"
SETTINGS = ("listen_addresses=", f"port={PORT}", "timezone=UTC", "jit=off")
WITHOUT_DURABILITY = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    # What it writes down for after a crash goes soon: it takes memory.
    "max_wal_size=128MB",
    "wal_recycle=off",
)


@dataclass(frozen=True)
class Cluster:
    """One cluster in `place`; all its names start with its major version, so majors never meet."""

    place: Path
    binaries: Binaries
    durable: bool
    max_connections: int = 100

    @property
    def data(self) -> Path:
        """The data directory, complete or absent."""
        return self.place / str(self.binaries.major)

    @property
    def fresh(self) -> Path:
        """The data directory while it is initialised."""
        return self._beside("new")

    @property
    def users(self) -> Path:
        """The lock that every user shares."""
        return self._beside("users")

    @property
    def server(self) -> Path:
        """The lock of the running server; it contains the name of the scratch directory."""
        return self._beside("server")

    @property
    def log(self) -> Path:
        """What the server of the last start had to say."""
        return self._beside("log")

    @property
    def is_initialised(self) -> bool:
        """Whether there is data to serve."""
        return (self.data / "PG_VERSION").exists()

    def initdb(self, bindir: Path) -> list[str]:
        """The command that initialises a data directory."""
        command = [str(bindir / "initdb"), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += ["--locale=C"]
        if self.binaries.major >= 17:
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return command if self.durable else [*command, "--no-sync"]

    def postgres(self, bindir: Path, sockets: Path) -> list[str]:
        """The command that runs the server."""
        settings = [f"unix_socket_directories={sockets}", f"max_connections={self.max_connections}"]
        settings += [*SETTINGS, *(() if self.durable else WITHOUT_DURABILITY)]
        return [str(bindir / "postgres"), *(word for item in settings for word in ("-c", item))]

    def _beside(self, ending: str) -> Path:
        return self.place / f"{self.binaries.major}.{ending}"


def scratch_name() -> str:
    """A short name that nobody can predict.

    It is chosen before the directory is made, so that it can be written down first: a directory
    is then never lost to a `kill -9` in between.
    """
    return PREFIX + secrets.token_hex(8)


def fastest() -> Path:
    """Where to keep what is forgotten anyway: in memory, if there is enough of it."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_IN_MEMORY:
        return MEMORY
    return TEMPORARY


def make_way(cluster: Cluster, account: Account | None) -> None:
    """Clear what a dead server left, and lay an empty directory if there is no data yet.

    For the holder of the `server` lock only.
    """
    (cluster.data / "postmaster.pid").unlink(missing_ok=True)
    discard(cluster.fresh)
    if cluster.is_initialised:
        return
    if cluster.data.is_symlink():
        _tell(f"The data in {cluster.data.readlink()} is gone: starting with an empty database.")
        cluster.data.unlink()
    for other in sorted(path.name for path in cluster.place.iterdir() if path.name.isdigit()):
        _tell(
            f"PostgreSQL {cluster.binaries.major} starts with an empty database; the data of "
            f"PostgreSQL {other} stays in {cluster.place / other}. Nothing else is needed."
        )
    if account is None or can_reach(cluster.place, account):
        cluster.fresh.mkdir(mode=0o700)
    else:
        elsewhere = PERSISTENT / scratch_name()
        cluster.fresh.symlink_to(elsewhere)
        elsewhere.mkdir(mode=0o700)
        _tell(
            f"PostgreSQL does not run as root, and its account cannot reach {cluster.place}: "
            f"the data is kept in {elsewhere}."
        )
    hand_over(cluster.fresh, account)


def discard(path: Path) -> None:
    """Remove a directory, or a link and the directory behind it."""
    if path.is_symlink():
        link, path = path, path.readlink()
        link.unlink()
    shutil.rmtree(path, ignore_errors=True)  # refuses a link that took the place of a directory


def _tell(message: str) -> None:
    sys.stderr.write(f"{message}\n")
