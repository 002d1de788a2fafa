"""Fixtures for the tests of the local PostgreSQL."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.local_postgres.servers import (
    PYTHON_PATHS,
    Client,
    StartClient,
    eventually,
    no_server_runs_in,
)


@pytest.fixture
def start_client() -> Iterator[StartClient]:
    """Start client processes; kill them at the end of the test."""
    clients: list[Client] = []

    def create(
        root: Path | None = None,
        *,
        python: str = sys.executable,
        paths: tuple[Path, ...] = (),
        variables: dict[str, str] | None = None,
        **options: Any,
    ) -> Client:
        import_path = {"PYTHONPATH": os.pathsep.join(map(str, (*paths, *PYTHON_PATHS)))}
        environment = {**os.environ, **import_path, **(variables or {})}
        clients.append(Client(root, python, env=environment, **options))
        return clients[-1]

    yield create
    for client in clients:
        client.kill()


@pytest.fixture
def project() -> Iterator[Path]:
    """A project directory that every account can enter, unlike those of pytest."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    yield root
    eventually(lambda: no_server_runs_in(root))
    shutil.rmtree(root)
