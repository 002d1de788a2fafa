"""Importing the service has no side effects, and imports every model."""

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
IMPORT_SCRIPT = """
import os, socket, sys
def reject_connection(*_): raise AssertionError("a socket was opened")
socket.socket.connect = reject_connection
for name in [n for n in os.environ if n.startswith("DATABASE")]: del os.environ[name]
import app.registry
print(*sys.modules)
import app.main, app.cli
assert not {"local_postgres", "scaffold"} & sys.modules.keys(), "the image has no such packages"
"""


@pytest.fixture(scope="module")
def imported_by_registry(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Import the registry in a new process; return the imported modules."""
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT_SCRIPT],
        capture_output=True,
        check=False,
        cwd=tmp_path_factory.mktemp("elsewhere"),
        env={"PYTHONPATH": str(SOURCE)},
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.split())


def test_import_opens_no_socket_and_needs_no_settings(imported_by_registry: set[str]) -> None:
    assert "app.registry" in imported_by_registry


def test_every_models_module_is_imported_by_the_registry(imported_by_registry: set[str]) -> None:
    modules = {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for package in ("example", "features")
        for path in (SOURCE / "app" / package).rglob("models.py")
    }
    missing = modules - imported_by_registry
    assert not missing, "import them in app/registry.py: migrations do not see their tables"
