"""The program that owns one server from its first breath to its last.

It runs detached, with the standard library alone, and holds two locks that the kernel releases
however a process ends. Every user of the server shares the lock `users`: when this program can
have it alone, no user is left and the server is stopped. The lock `server` comes from the starter
and is passed on to PostgreSQL itself: while anyone holds it, something of the server still runs;
when it is free, whatever a dead server left behind is stale.
"""

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any, NamedTuple

READY = "ready"
SECONDS_TO_START = 60  # a crashed cluster replays its log first
SECONDS_TO_STOP = 30
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
PR_SET_PDEATHSIG = 1


class Job(NamedTuple):
    """What to run, as it travels on the command line; `lock` is an inherited descriptor."""

    lock: int
    users: str
    data: str
    fresh: str
    leftovers: list[str]
    log: str
    initialise: list[str]
    serve: list[str]
    uid: int | None
    gid: int | None
    stop: int


class StartFailedError(Exception):
    """The server's own words on why it did not start."""


def try_lock(file: IO[Any], kind: int) -> bool:
    """Take a lock if nobody is in the way."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_ready(data: Path) -> bool:
    """Whether the server says of itself that it takes connections."""
    try:
        return (data / "postmaster.pid").read_bytes().splitlines()[7].strip() == b"ready"
    except (OSError, IndexError):
        return False


def supervise(job: Job) -> None:
    """Run the server until its last user is gone."""
    with Path(job.log).open("wb") as log, Path(job.users).open("a+") as users:
        if job.initialise:
            command = [*job.initialise, "-D", os.path.realpath(job.fresh)]
            if _spawn(job, command, log).wait():
                raise StartFailedError(_tail(job.log))
            Path(job.fresh).rename(job.data)
        server = _spawn(job, [*job.serve, "-D", os.path.realpath(job.data)], log)
        try:
            _wait_until_ready(job, server)
            _report(READY)
            while server.poll() is None and not try_lock(users, fcntl.LOCK_EX):
                time.sleep(0.05)
        finally:
            _stop(server, job.stop)


def _spawn(job: Job, command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    supervisor = os.getpid()
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=ENVIRONMENT,
        pass_fds=[job.lock],
        user=job.uid,
        group=job.gid,
        extra_groups=None if job.uid is None else [],
        preexec_fn=lambda: _die_with(supervisor, job.stop),
    )


def _die_with(supervisor: int, stop: int) -> None:
    # Runs in the child after it dropped its privileges, which would clear the request.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, stop)
        if os.getppid() != supervisor:
            os._exit(1)


def _wait_until_ready(job: Job, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not is_ready(Path(job.data)):
        if server.poll() is not None or time.monotonic() > deadline:
            raise StartFailedError(_tail(job.log))
        time.sleep(0.01)


def _stop(server: subprocess.Popen[bytes], first: int) -> None:
    for number in (first, signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is None:
            server.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                server.wait(SECONDS_TO_STOP)


def _tail(log: str) -> str:
    return "\n".join(Path(log).read_text(errors="replace").splitlines()[-20:])


def _report(text: str) -> None:
    with suppress(BrokenPipeError):  # the starter is gone; others may be waiting
        os.write(1, text.encode(errors="replace"))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)  # the starter reads until here
    os.dup2(nowhere, 2)


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit()  # by way of every `finally`


def main() -> None:
    """Detach, run the server, and leave nothing of it."""
    job = Job(*json.loads(sys.argv[1]))
    if os.fork():  # as an orphan it outlives its starter and leaves it no zombie
        os._exit(0)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    try:
        supervise(job)
    except StartFailedError as error:
        _report(str(error))
    finally:
        for path in job.leftovers:
            shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()
