"""Importing the service does nothing."""

import subprocess
import sys
from pathlib import Path

QUIET_IMPORT = """
import os, socket, sys
def refuse(*_): raise AssertionError("a socket was opened")
socket.socket.connect = refuse
for name in [n for n in os.environ if n.startswith("DATABASE")]: del os.environ[name]
import app.main, app.cli, app.registry
assert "local_postgres" not in sys.modules, "devtools is not part of the image"
"""


def test_importing_opens_no_socket_and_needs_no_settings(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "src"
    subprocess.run(
        [sys.executable, "-c", QUIET_IMPORT],
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(source)},
    )
