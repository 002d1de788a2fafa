"""Run the conformance suite in a copy of a service: `uv run python -m tests.conformance`."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.processes import UV, environment
from tests.suite import SUITE, add_suite, parts_of

# Not copied: files that the copy creates again, and development settings.
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".pgdata", ".env", "__pycache__", ".*_cache")
NO_TESTS = 5
# Of the suite, where the service does not have them.
DEPENDENCIES = ["--with", "email-validator>=2.3,<3"]


def main() -> int:
    """Run the tests; return 0 if all of them passed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description="Run the conformance suite in a copy of a service.",
        epilog="Other arguments are passed to pytest: -k, -x, --full-scale, …",
    )
    parser.add_argument("--service", type=Path, required=True, help="directory of the service")
    parser.add_argument("--only", nargs="+", default=[], metavar="FILE", help="such as kit/db")
    known, others = parser.parse_known_args()
    if missing := [name for name in known.only if not (SUITE / name.split("::")[0]).exists()]:
        parser.error(f"not in {SUITE}: {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder:
        service = Path(shutil.copytree(known.service, Path(folder) / "service", ignore=NOT_COPIED))
        add_suite(service)
        codes = [
            subprocess.run(
                [UV, "run", "--quiet", *DEPENDENCIES, "pytest", *part, *others],
                cwd=service,
                env=environment(),
                check=False,
            ).returncode
            for part in parts_of(known.only)
        ]
    # With `-k`, one of the parts may select no test.
    return max((code for code in codes if code != NO_TESTS), default=NO_TESTS)


if __name__ == "__main__":
    sys.exit(main())
