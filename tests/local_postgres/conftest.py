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
    SEARCH,
    NewUser,
    User,
    eventually,
    nothing_runs_in,
)


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
    """A project directory that every account can enter, unlike those of pytest."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    yield root
    eventually(lambda: nothing_runs_in(root))
    shutil.rmtree(root)
