"""The lookup of the PostgreSQL binaries, and the errors if there are none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_postgres import PostgresUnavailable, binaries, ephemeral
from tests.local_postgres.servers import PYTHON_PATHS, SOURCES


def test_invalid_pg_bindir_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))
    with (
        pytest.raises(PostgresUnavailable, match=r"postgres cannot be run: No such file"),
        ephemeral(),
    ):
        pass
    (tmp_path / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 13.2'\n")
    (tmp_path / "postgres").chmod(0o755)
    with (
        pytest.raises(PostgresUnavailable, match=r"not PostgreSQL 15 or newer: .*13\.2"),
        ephemeral(),
    ):
        pass


@pytest.mark.parametrize("bindir", [None, ""], ids=["not set", "empty"])
def test_missing_binaries_error_names_all_remedies(
    bindir: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PG_BINDIR", raising=False)
    if bindir is not None:
        monkeypatch.setenv("PG_BINDIR", bindir)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "WHEEL", "missing_wheel")
    monkeypatch.setattr(binaries, "SYSTEM", [])
    with pytest.raises(PostgresUnavailable, match=r"^No PostgreSQL") as caught, ephemeral():
        pass
    for remedy in ("DATABASE_URL", "install PostgreSQL", "PG_BINDIR", "uv sync"):
        assert remedy in str(caught.value)


def test_error_on_windows_names_alternatives() -> None:
    program = """
import sys, sqlalchemy
from pathlib import Path
sys.platform = "win32"
from local_postgres import PostgresUnavailable, development, ephemeral
for start in (ephemeral, lambda: development(Path())):
    try:
        start()
    except PostgresUnavailable as error:
        print(error)
"""
    output = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PYTHON_PATHS))},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert output.count("DATABASE_URL") == output.count("WSL") == 2


def test_launcher_has_at_most_400_lines() -> None:
    modules = (SOURCES / "local_postgres").glob("*.py")
    assert sum(len(module.read_text().splitlines()) for module in modules) <= 400
