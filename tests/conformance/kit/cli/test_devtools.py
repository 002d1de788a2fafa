"""A command that needs the local PostgreSQL reports missing devtools."""

import sys

import pytest

from app.kit.cli.development_database import local_server
from app.kit.cli.errors import CommandFailed


def test_missing_devtools_have_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "local_postgres", None)
    with (
        pytest.raises(CommandFailed, match=r"set DATABASE_URL, or run .* `devtools`"),
        local_server(),
    ):
        pass
