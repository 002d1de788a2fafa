"""Compare the CPU time of an endpoint with and without authentication.

    uv run python -m benchmarks.authentication

The endpoint does nothing, and runs without a server. A ratio of 1.2 means that authentication adds
a fifth to the time of the smallest possible request. The results go into docs/benchmarks.md.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin

from benchmarks import ROOT
from tests.rendering import copy_of_working_tree, render_from

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- authentication: begin -->", "<!-- authentication: end -->"
SCRIPT = Path(__file__).parent / "apps" / "authentication.py"


def main() -> None:
    """Measure, and write the results into docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the service")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="authentication-") as directory:
        service = Path(directory) / "service"
        template = copy_of_working_tree(Path(directory) / "template")
        render_from(str(template), service, auth="oidc", example=False)
        sync = ("sync", "--quiet", "--no-dev", "--no-install-project", "--python", arguments.python)
        environment = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
        subprocess.run([find_uv_bin(), *sync], cwd=service, env=environment, check=True)
        output = subprocess.run(
            [service / ".venv/bin/python", SCRIPT],
            cwd=service,
            env={**environment, "PYTHONPATH": "src"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    text = re.sub(
        f"{BEGIN}.*{END}",
        lambda _: f"{BEGIN}\n\n{table(json.loads(output))}\n\n{END}",
        PAGE.read_text(),
        flags=re.DOTALL,
    )
    PAGE.write_text(text)


def table(measured: dict[str, float]) -> str:
    """Return the results as a table."""
    baseline = measured["no authentication"]
    rows = [
        f"| {name} | {seconds * 1e6:.0f} | {(seconds - baseline) * 1e6:.0f} "
        f"| {seconds / baseline:.2f} |"
        for name, seconds in measured.items()
    ]
    head = ["| | CPU per request, in µs | added | ratio |", "|---|--:|--:|--:|"]
    return "\n".join(head + rows)


if __name__ == "__main__":
    main()
