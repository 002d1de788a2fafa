"""A local PostgreSQL runs until its last client process ends."""

import os
import signal
from pathlib import Path

import pytest

from local_postgres import development, ephemeral
from tests.local_postgres.servers import (
    NewUser,
    ask,
    eventually,
    is_alive,
    is_free,
    only_linux,
    postmaster,
    stays,
    supervisor_of,
)


def test_ephemeral_server_stops_at_end_of_block() -> None:
    with ephemeral(max_connections=17) as url:
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


@pytest.mark.parametrize("kept", [True, False], ids=["development", "ephemeral"])
def test_server_stops_after_only_client_is_killed(
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


def test_server_keeps_running_for_second_client(project: Path, new_user: NewUser) -> None:
    starter = new_user(project)
    url = starter.url()
    server = postmaster(url)
    with development(project) as second_url:
        assert second_url == url
        starter.kill()
        assert stays(lambda: is_alive(server))
        assert ask(url, "SELECT 1") == 1
    eventually(lambda: not is_alive(server))


def test_second_client_gets_server_if_first_is_killed_during_start(
    project: Path, new_user: NewUser
) -> None:
    first = new_user(project)
    eventually(lambda: list(project.glob(".pgdata/*.server")))
    first.kill()
    with development(project) as url:
        assert ask(url, "SELECT 1") == 1


def test_concurrent_clients_share_one_server(project: Path, new_user: NewUser) -> None:
    users = [new_user(project) for _ in range(6)]
    urls = {user.url() for user in users}
    assert len(urls) == 1
    assert ask(urls.pop(), "SELECT 1") == 1


def test_client_gets_new_server_while_old_one_stops(project: Path) -> None:
    with development(project) as url:
        server = postmaster(url)
    eventually(lambda: not is_free(next(project.glob(".pgdata/*.users"))))
    with development(project) as url:
        assert postmaster(url) != server


@only_linux
def test_server_stops_with_supervisor_and_can_restart(project: Path) -> None:
    with development(project) as url:
        server, supervisor = postmaster(url), supervisor_of(project)
        os.kill(server, signal.SIGSTOP)  # a server that stops slowly
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
def test_interrupted_initdb_does_not_block_start(project: Path, new_user: NewUser) -> None:
    user = new_user(project)
    eventually(lambda: list(project.glob(".pgdata/*/PG_VERSION")))
    marker = next(project.glob(".pgdata/*.initdb"))
    supervisor = supervisor_of(project)
    os.kill(supervisor, signal.SIGKILL)
    # The process that waits for the server starts it again.
    assert ask(user.url(), "SELECT 1") == 1
    assert not marker.exists()


def test_server_keeps_running_if_client_handles_sigint(project: Path, new_user: NewUser) -> None:
    user = new_user(project)
    url = user.url()
    server = postmaster(url)
    os.killpg(user.process.pid, signal.SIGINT)
    assert user.line() == "interrupted"
    assert stays(lambda: is_alive(server))
    assert ask(url, "SELECT 1") == 1
