"""The process that runs one server, and stops it when no other process uses it.

It uses the standard library, and file locks, which the kernel releases when a process ends. Each
user of the server holds a shared lock on `users`. When the supervisor gets an exclusive lock on it,
it stops the server. PostgreSQL inherits the lock on `server`, and holds it until the server ends.

PostgreSQL refuses to run as root. For root, an existing account without privileges runs it. Files
that the account cannot access are copied or created in `TMP`. Existing permissions never change.
"""

import ctypes
import fcntl
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Any, NamedTuple

PORT = 5432  # part of the socket's name; the server does not listen on the network
PREFIX = "local-postgres-"
TMP = Path("/tmp")  # noqa: S108 - not TMPDIR: the path of a socket is limited to about 100 bytes
VAR_TMP = Path("/var/tmp")  # noqa: S108 - survives a reboot
READY = "ready"
TIMEOUT = 60  # seconds to start, with crash recovery, or to stop
SETTINGS = ["max_connections=100", "listen_addresses=", f"port={PORT}", "timezone=UTC", "jit=off"]
SMALL_WAL = ["max_wal_size=128MB", "wal_recycle=off"]  # the data may be in memory
NOT_DURABLE = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", *SMALL_WAL]
INITDB = ["initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
UTF8_LOCALE = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # since PostgreSQL 17


class Cluster(NamedTuple):
    """The directory of a cluster, its binaries and their major version; passed as JSON."""

    root: Path
    bindir: Path
    major: int
    durable: bool = False
    settings: tuple[str, ...] = ()
    initdb: list[str] | None = None  # another command to create the data directory

    def path(self, suffix: str = "") -> Path:
        """Return the data directory, such as `18`, or a file with a suffix, such as `18.log`."""
        return self.root / f"{self.major}{suffix}"


def try_lock(lock: IO[str], operation: int) -> bool:
    """Take a lock if no other process holds it; return whether it did."""
    with suppress(BlockingIOError):
        fcntl.flock(lock, operation | fcntl.LOCK_NB)
        return True
    return False


def socket_dir(data: Path) -> str | None:
    """Return the socket directory of a server that accepts connections, or None."""
    with suppress(OSError, IndexError), socket.socket(socket.AF_UNIX) as connection:
        lines = (data / "postmaster.pid").read_text().splitlines()
        connection.connect(f"{lines[4]}/.s.PGSQL.{PORT}")
        return lines[4] if lines[7].strip() == READY else None
    return None


def supervise(cluster: Cluster, lock: IO[str], users: IO[str], log: IO[str]) -> None:
    """Run the server until no process uses it. `scratch` has the socket and copied binaries."""
    data, server, supervisor = cluster.path(), None, os.getpid()
    account = server_account(data)
    stop = signal.SIGINT if cluster.durable else signal.SIGQUIT
    lock.seek(0)  # the suffix of the last scratch directory; `.name` keeps the path in TMP
    shutil.rmtree(TMP / (PREFIX + Path(lock.read()).name), ignore_errors=True)
    lock.truncate(0)
    scratch = Path(mkdtemp(prefix=PREFIX, dir=TMP)) if cluster.durable else TMP / cluster.root.name
    scratch.mkdir(mode=0o700, exist_ok=True)
    print(scratch.name.removeprefix(PREFIX), end="", file=lock, flush=True)

    def start(program: str, *arguments: str) -> subprocess.Popen[Any]:
        return subprocess.Popen(
            [bindir / program, *arguments, "-D", os.path.realpath(data)],
            stdout=log,
            stderr=log,
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            pass_fds=[lock.fileno()],
            preexec_fn=lambda: _stop_with(supervisor, stop),
            **account,
        )

    try:
        bindir = prepare_binaries(cluster.bindir, scratch, account)
        if prepare_data_dir(cluster, account):
            initdb = cluster.initdb or INITDB + (UTF8_LOCALE if cluster.major >= 17 else [])
            if start(*initdb, *([] if cluster.durable else ["--no-sync"])).wait():
                sys.exit(Path(log.name).read_text(errors="replace"))
            cluster.path(".initdb").unlink()
        settings = [*SETTINGS, *([] if cluster.durable else NOT_DURABLE), *cluster.settings]
        server = start("postgres", f"-k{scratch}", *(f"-c{each}" for each in settings))
        deadline = time.monotonic() + TIMEOUT
        while not socket_dir(data):
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(Path(log.name).read_text(errors="replace"))
            time.sleep(0.01)
        with suppress(BrokenPipeError):  # the parent has ended
            print(READY, end="", flush=True)
        for output in (1, 2):  # sends end of file to the parent
            os.dup2(log.fileno(), output)
        while server.poll() is None and not try_lock(users, fcntl.LOCK_EX):
            time.sleep(0.05)
    finally:
        for number in (stop, signal.SIGQUIT, signal.SIGKILL):
            if server and server.poll() is None:
                server.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    server.wait(TIMEOUT)
        for path in [scratch] if cluster.durable else [scratch, cluster.root]:
            shutil.rmtree(path, ignore_errors=True)


def server_account(data: Path) -> dict[str, Any]:
    """Return the account of the server as arguments of `Popen`, empty for the current account."""
    if os.geteuid() != 0:
        return {}
    accounts = [each[2:4] for each in pwd.getpwall() if each.pw_name in ("postgres", "nobody")]
    if data.exists():  # PostgreSQL must own its data directory
        accounts.insert(0, (data.stat().st_uid, data.stat().st_gid))
    for uid, gid in accounts:
        if uid != 0:
            return {"user": uid, "group": gid, "extra_groups": []}
    sys.exit("PostgreSQL refuses to run as root, and neither `postgres` nor `nobody` exists.")


def prepare_binaries(bindir: Path, scratch: Path, account: dict[str, Any]) -> Path:
    """Return the directory of the binaries. Copy them if the account cannot access them."""
    if not _can_access(bindir / "postgres", account):
        site = bindir.parents[2]  # a wheel has its libraries in NAME.libs
        for source in (bindir.parent, site / f"{bindir.parents[1].name}.libs"):
            if source.is_dir():
                unused = shutil.ignore_patterns("include", "*.a")
                shutil.copytree(source, scratch / source.relative_to(site), ignore=unused)
        bindir = scratch / bindir.relative_to(site)
    _chown(scratch, account)
    return bindir


def prepare_data_dir(cluster: Cluster, account: dict[str, Any]) -> bool:
    """Prepare a data directory that no server uses. Return whether initdb must create the data."""
    data, marker = cluster.path(), cluster.path(".initdb")
    (data / "postmaster.pid").unlink(missing_ok=True)
    if data.exists() and not marker.exists():
        return False
    if data.is_symlink():
        print(f"The data in {data.readlink()} no longer exists. Starting with an empty database.")
        shutil.rmtree(data.readlink(), ignore_errors=True)
        data.unlink()
    shutil.rmtree(data, ignore_errors=True)
    for other in sorted(path for path in cluster.root.iterdir() if path.name.isdigit()):
        print(f"The database is new. The data of PostgreSQL {other.name} is kept in {other}.")
    marker.touch()
    if not cluster.durable:
        _chown(cluster.root, account)
    if _can_access(cluster.root, account):
        data.mkdir(mode=0o700)
    else:
        data.symlink_to(mkdtemp(prefix=PREFIX, dir=VAR_TMP))
        print(f"The data is kept in {data.readlink()}: PostgreSQL does not run as root.")
    _chown(data.resolve(), account)
    return True


def _can_access(path: Path, account: dict[str, Any]) -> bool:
    test = ["/bin/sh", "-c", 'test -x "$0"', str(path)]
    return subprocess.call(test, cwd="/", **account) == 0


def _chown(directory: Path, account: dict[str, Any]) -> None:
    for path in (directory, *directory.rglob("*")) if account else ():
        os.chown(path, account["user"], account["group"], follow_symlinks=False)


def _stop_with(supervisor: int, stop: int) -> None:
    # Runs in the child after the change of account, which would reset the signal.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, stop)  # PR_SET_PDEATHSIG
        if os.getppid() != supervisor:
            os._exit(1)


def main() -> None:
    """Detach from the parent, and run the server unless another supervisor does."""
    root, bindir, *options = json.loads(sys.argv[1])
    cluster = Cluster(Path(root), Path(bindir), *options)
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit())
    sys.tracebacklimit = 0
    with cluster.path(".server").open("a+") as lock, cluster.path(".users").open("a") as users:
        if try_lock(lock, fcntl.LOCK_EX):
            with cluster.path(".log").open("w") as log:
                supervise(cluster, lock, users, log)


if __name__ == "__main__":
    main()
