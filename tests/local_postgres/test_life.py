"""How long a local PostgreSQL lives: as long as anybody uses it, and never longer."""

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


def test_a_ephemeral_server_answers_and_is_gone_afterwards() -> None:
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
    eventually(lambda: list(project.glob(".pgdata/*/PG_VERSION")))
    marker = next(project.glob(".pgdata/*.initdb"))
    supervisor = supervisor_of(project)
    os.kill(supervisor, signal.SIGKILL)
    # The process that waits for the server starts it again.
    assert ask(user.url(), "SELECT 1") == 1
    assert not marker.exists()


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
