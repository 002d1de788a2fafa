"""What root must do: PostgreSQL refuses uid 0, so an existing account without privileges runs it.

No account is created and no existing permission is widened. What the account cannot reach where
it is gets a second name in a directory of the account's own.
"""

import os
import pwd
import shutil
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from app.kit.local_postgres.binaries import WHEEL
from app.kit.local_postgres.unavailable import PostgresUnavailable


class Account(NamedTuple):
    """Who runs the server."""

    uid: int
    gid: int


def account_for(data: Path) -> Account | None:
    """Who must run the server in root's place; None where the caller runs it in person.

    Raises PostgresUnavailable: there is no account to drop to.
    """
    if os.geteuid() != 0:
        return None
    with suppress(FileNotFoundError):
        owner = data.stat()  # PostgreSQL serves data to its owner only
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    message = "PostgreSQL refuses to run as root, and neither `postgres` nor `nobody` exists here."
    raise PostgresUnavailable(message)


def hand_over(path: Path, account: Account | None) -> None:
    """Give a file or directory just made to the account."""
    if account:
        os.chown(path, account.uid, account.gid)


def can_reach(path: Path, account: Account) -> bool:
    """Whether the account may enter a directory or run a program."""
    question = ["/bin/sh", "-c", 'test -x "$0"', str(path)]
    return not subprocess.run(
        question, user=account.uid, group=account.gid, extra_groups=[], cwd="/", check=False
    ).returncode


def bring_within_reach(bindir: Path, scratch: Path, account: Account) -> Path:
    """The directory of the same programs where the account can run them: here, or in `scratch`.

    Hard links where possible, so that it costs milliseconds and no space.
    """
    if can_reach(bindir / "postgres", account):
        return bindir
    prefix = bindir.parent
    package = prefix.parent
    doubles = scratch / "binaries"
    nearby = doubles / package.name / prefix.name  # the programs look for ../../../*.libs
    for source, target in (
        *((prefix / part, nearby / part) for part in ("bin", "lib", "share")),
        (package.parent / f"{WHEEL}.libs", doubles / f"{WHEEL}.libs"),
    ):
        if source.is_dir():
            shutil.copytree(
                source,
                target,
                copy_function=lambda file, double: _link(Path(file), Path(double), account),
                ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig"),
                ignore_dangling_symlinks=True,
            )
    for directory, _, _ in os.walk(doubles):
        hand_over(Path(directory), account)
    return nearby / "bin"


def _link(file: Path, double: Path, account: Account) -> None:
    source = file.resolve()
    if source.stat().st_mode & stat.S_IROTH:
        with suppress(OSError):  # another file system
            double.hardlink_to(source)
            return
    shutil.copy(source, double)
    hand_over(double, account)
