"""Start the server of a cluster, or find the one that another process started."""

import fcntl
import json
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from app.kit.local_postgres import supervisor
from app.kit.local_postgres.account import account_for, bring_within_reach, hand_over
from app.kit.local_postgres.cluster import (
    PORT,
    PREFIX,
    TEMPORARY,
    Cluster,
    discard,
    make_way,
    scratch_name,
)
from app.kit.local_postgres.supervisor import READY, Job, is_ready, try_lock
from app.kit.local_postgres.unavailable import PostgresUnavailable


def start(cluster: Cluster) -> Path | None:
    """The socket directory of a server started here; None while another process owns one."""
    with cluster.server.open("a+") as claim:
        if not try_lock(claim, fcntl.LOCK_EX):
            return None
        if stale := _scratch_of(cluster):
            shutil.rmtree(stale, ignore_errors=True)
        scratch = TEMPORARY / (scratch_name() if cluster.durable else cluster.place.name)
        claim.truncate(0)
        claim.write(scratch.name)
        claim.flush()
        try:
            scratch.mkdir(mode=0o700, exist_ok=not cluster.durable)
            _launch(cluster, scratch, claim.fileno())
        except (OSError, PostgresUnavailable):
            discard(cluster.fresh)
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        return scratch


def _launch(cluster: Cluster, scratch: Path, lock: int) -> None:
    account = account_for(cluster.data)
    hand_over(scratch, account)
    if not cluster.durable:
        hand_over(cluster.place, account)
    make_way(cluster, account)
    bindir = cluster.binaries.bindir
    if account:
        bindir = bring_within_reach(bindir, scratch, account)
    job = Job(
        lock=lock,
        users=str(cluster.users),
        data=str(cluster.data),
        fresh=str(cluster.fresh),
        leftovers=[str(scratch)] if cluster.durable else [str(scratch), str(cluster.place)],
        log=str(cluster.log),
        initialise=[] if cluster.is_initialised else cluster.initdb(bindir),
        serve=cluster.postgres(bindir, scratch),
        uid=account.uid if account else None,
        gid=account.gid if account else None,
        stop=signal.SIGINT if cluster.durable else signal.SIGQUIT,
    )
    report = subprocess.run(
        [sys.executable, "-IS", supervisor.__file__, json.dumps(job)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        pass_fds=[lock],
        start_new_session=True,  # Ctrl-C in the terminal is not for the server
        check=False,
    ).stdout.decode(errors="replace")
    if not report.endswith(READY):
        message = f"PostgreSQL did not start:\n{report or 'its supervisor was stopped'}"
        raise PostgresUnavailable(message)


def attach(cluster: Cluster) -> Path | None:
    """The socket directory of the server that another process started, once it answers."""
    scratch = _scratch_of(cluster)
    if scratch and is_ready(cluster.data):
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.settimeout(1)
            connection.connect(f"{scratch}/.s.PGSQL.{PORT}")
            return scratch
    return None


def _scratch_of(cluster: Cluster) -> Path | None:
    name = cluster.server.read_text()
    is_ours = name.startswith(PREFIX) and Path(name).name == name
    return TEMPORARY / name if cluster.durable and is_ours else None
