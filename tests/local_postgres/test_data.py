"""The data directory of a local PostgreSQL."""

import os
from pathlib import Path

import pytest

from local_postgres import PostgresUnavailable, development, ephemeral, server
from local_postgres.supervisor import PREFIX, TMP
from tests.local_postgres.servers import (
    data_directory,
    eventually,
    fetch_value,
    is_alive,
    no_server_runs_in,
    postmaster,
)

SYSTEM_BINDIRS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.mark.parametrize("min_size", [0, 2**60])
def test_ephemeral_server_uses_shared_memory_if_large_enough(
    project: Path, monkeypatch: pytest.MonkeyPatch, min_size: int
) -> None:
    monkeypatch.setattr(server, "SHARED_MEMORY", project)
    monkeypatch.setattr(server, "MIN_SHARED_MEMORY", min_size)
    with ephemeral() as url:
        data = Path(fetch_value(url, "SHOW data_directory"))
        assert data.parents[1] == (TMP if min_size else project)
        assert Path(str(url.query["host"])).parent == TMP
    assert not data.parent.exists()


def test_data_survives_restart_in_path_with_special_characters(project: Path) -> None:
    root = project / "Größe mit Leerzeichen"
    with development(root) as url:
        assert fetch_value(url, "SHOW fsync") == "on"
        fetch_value(url, "CREATE TABLE kept (word text)", "INSERT INTO kept VALUES ('größer')")
        process = postmaster(url)
    eventually(lambda: not is_alive(process))
    with development(root) as url:
        assert fetch_value(url, "SELECT word FROM kept") == "größer"
    assert (root / ".pgdata" / ".gitignore").read_text() == "*\n"
    eventually(lambda: no_server_runs_in(root))


def test_stale_pid_file_with_running_pid_does_not_block_start(project: Path) -> None:
    with development(project) as url:
        process = postmaster(url)
        pid_file = data_directory(project) / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    eventually(lambda: not is_alive(process) and no_server_runs_in(project))
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with development(project) as url:
        assert fetch_value(url, "SELECT 1") == 1


def test_failed_start_reports_reason_and_removes_files(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with development(project) as url:
        process = postmaster(url)
    eventually(lambda: not is_alive(process))
    (data_directory(project) / "postgresql.conf").write_text("nonsense = 1\n")
    with pytest.raises(PostgresUnavailable, match="nonsense"), development(project):
        pass
    eventually(lambda: no_server_runs_in(project))
    monkeypatch.setattr(server, "SHARED_MEMORY", project)
    monkeypatch.setattr(server, "MIN_SHARED_MEMORY", 0)
    with pytest.raises(PostgresUnavailable, match="outside the valid range"), ephemeral(0):
        pass
    assert not list(project.glob(f"{PREFIX}*"))


@pytest.mark.skipif(not SYSTEM_BINDIRS, reason="no PostgreSQL is installed on the system")
def test_each_major_version_has_own_data_directory(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PG_BINDIR", str(SYSTEM_BINDIRS[0]))
        with development(project) as url:
            older = fetch_value(url, "CREATE TABLE kept (word text)", "SHOW server_version").split(
                "."
            )[0]
    with development(project) as url:
        newer = fetch_value(url, "SHOW server_version").split(".")[0]
        if newer == older:
            pytest.skip("the system has the same version")
        assert fetch_value(url, "SELECT to_regclass('kept')") is None
    assert (project / ".pgdata" / older / "PG_VERSION").exists()
    assert f"The data of PostgreSQL {older} is kept" in capfd.readouterr().err
