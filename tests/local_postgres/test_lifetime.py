"""A local PostgreSQL runs until its last client process ends."""

import os
import signal
from pathlib import Path

import pytest

from local_postgres import development, ephemeral
from tests.local_postgres.servers import (
    StartClient,
    eventually,
    fetch_value,
    is_alive,
    is_unlocked,
    only_linux,
    postmaster,
    stays_true,
    supervisor_of,
)


def test_ephemeral_server_stops_at_end_of_block() -> None:
    with ephemeral(max_connections=17) as url:
        assert url.drivername == "postgresql+asyncpg"
        assert (url.username, url.database) == ("postgres", "postgres")
        assert fetch_value(url, "SHOW max_connections") == "17"
        assert fetch_value(url, "SHOW fsync") == "off"
        assert fetch_value(url, "SHOW timezone") == "UTC"
        assert fetch_value(url, "SHOW listen_addresses") == ""
        assert fetch_value(url, "SHOW server_encoding") == "UTF8"
        server = postmaster(url)
        scratch = Path(str(url.query["host"]))
        assert scratch.stat().st_mode & 0o077 == 0
    assert not is_alive(server)
    assert not scratch.exists()


@pytest.mark.parametrize("persistent", [True, False], ids=["development", "ephemeral"])
def test_server_stops_after_only_client_is_killed(
    persistent: bool, project: Path, start_client: StartClient
) -> None:
    client = start_client(project if persistent else None)
    url = client.url()
    server = postmaster(url)
    data = Path(fetch_value(url, "SHOW data_directory"))
    client.kill()
    eventually(lambda: not is_alive(server))
    eventually(lambda: not Path(str(url.query["host"])).exists())
    eventually(lambda: data.exists() == persistent)


def test_server_keeps_running_for_second_client(project: Path, start_client: StartClient) -> None:
    starter = start_client(project)
    url = starter.url()
    server = postmaster(url)
    with development(project) as second_url:
        assert second_url == url
        starter.kill()
        assert stays_true(lambda: is_alive(server))
        assert fetch_value(url, "SELECT 1") == 1
    eventually(lambda: not is_alive(server))


def test_second_client_gets_server_if_first_is_killed_during_start(
    project: Path, start_client: StartClient
) -> None:
    first = start_client(project)
    eventually(lambda: list(project.glob(".pgdata/*.server")))
    first.kill()
    with development(project) as url:
        assert fetch_value(url, "SELECT 1") == 1


def test_concurrent_clients_share_one_server(project: Path, start_client: StartClient) -> None:
    clients = [start_client(project) for _ in range(6)]
    urls = {client.url() for client in clients}
    assert len(urls) == 1
    assert fetch_value(urls.pop(), "SELECT 1") == 1


def test_client_gets_new_server_while_old_one_stops(project: Path) -> None:
    with development(project) as url:
        server = postmaster(url)
    eventually(lambda: not is_unlocked(next(project.glob(".pgdata/*.users"))))
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
            assert not is_unlocked(next(project.glob(".pgdata/*.server")))
        finally:
            os.kill(server, signal.SIGCONT)
        eventually(lambda: not is_alive(server))
        with development(project) as next_url:
            assert fetch_value(next_url, "SELECT 1") == 1
            assert not Path(str(url.query["host"])).exists()


@only_linux
def test_interrupted_initdb_does_not_block_start(project: Path, start_client: StartClient) -> None:
    client = start_client(project)
    eventually(lambda: list(project.glob(".pgdata/*/PG_VERSION")))
    marker = next(project.glob(".pgdata/*.initdb"))
    supervisor = supervisor_of(project)
    os.kill(supervisor, signal.SIGKILL)
    # The process that waits for the server starts it again.
    assert fetch_value(client.url(), "SELECT 1") == 1
    assert not marker.exists()


def test_server_keeps_running_if_client_handles_sigint(
    project: Path, start_client: StartClient
) -> None:
    client = start_client(project)
    url = client.url()
    server = postmaster(url)
    os.killpg(client.process.pid, signal.SIGINT)
    assert client.read_line() == "interrupted"
    assert stays_true(lambda: is_alive(server))
    assert fetch_value(url, "SELECT 1") == 1
