"""A repository of the template with all releases, from the commits in releases.toml."""

import io
import re
import shutil
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.rendering import ROOT, VERSION, copy_of_working_tree, git

RELEASES: dict[str, str] = tomllib.loads((ROOT / "releases.toml").read_text())["releases"]

# The last patch release of each minor release: the others differ from them in a few lines.
LAST_PATCHES = list({version.rpartition(".")[0]: version for version in RELEASES}.values())
# The first release, those before modules and names moved, and the last one. For slow tests:
# test_unchanged_service.py updates from every release, and test_moves.py from each minor release.
MILESTONES = [LAST_PATCHES[0], "0.5.1", "0.8.0", LAST_PATCHES[-1]]

# Copier does not need these folders, and each update checks out five commits.
UNUSED = ("benchmarks", "docs", "tests")
IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.org")


def next_minor_version(version: str) -> str:
    """Return the version of the following minor release."""
    first, second, _ = map(int, version.split("."))
    return f"{first}.{second + 1}.0"


# The version of the working tree, and of a later release for the tests.
CURRENT = next_minor_version(VERSION) if VERSION in RELEASES else VERSION
NEXT = "99.0.0"


@cache
def announced_removals() -> set[str]:
    """Return the names and modules in the paragraphs "Removed" of the changelog, since 0.9.0."""
    text = (ROOT / "CHANGELOG.md").read_text().partition("\n## 0.8.0 ")[0]
    removed = re.findall(r"^- Removed.*(?:\n  .*)*", text, re.MULTILINE)
    return {name for each in removed for name in re.findall(r"`([\w.]+)`", each)}


class Template:
    """A repository of the template, with a tagged commit for each release."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def clone_of(cls, other: "Template", directory: Path) -> "Template":
        """Clone a template, to add releases to the clone."""
        git(other.directory, "clone", "--quiet", str(other.directory), str(directory))
        return cls(directory)

    @contextmanager
    def release(self, version: str) -> Iterator[Path]:
        """Commit and tag the changes that the block makes in the yielded directory."""
        yield self.directory
        git(self.directory, "add", "--all", "--force")
        self.commit(version)

    def commit(self, version: str) -> None:
        """Commit and tag the index."""
        git(self.directory, *IDENTITY, "commit", "--quiet", "--message", version)
        git(self.directory, "tag", f"v{version}")


def template_with_history(directory: Path) -> Template:
    """Create a repository with all releases, and the working tree as the newest."""
    directory.mkdir(parents=True)
    git(directory, "init")
    template = Template(directory)
    # Use the objects of this repository until they are copied.
    objects = git(ROOT, "rev-parse", "--path-format=absolute", "--git-path", "objects")
    alternates = directory / ".git/objects/info/alternates"
    alternates.write_text(objects)
    for version, commit in RELEASES.items():
        git(directory, "read-tree", commit)
        git(directory, "rm", "-r", "--quiet", "--cached", "--ignore-unmatch", *UNUSED)
        template.commit(version)
    with template.release(CURRENT):
        copy_of_working_tree(directory)
        for name in UNUSED:
            shutil.rmtree(directory / name, ignore_errors=True)
    git(directory, "repack", "-a", "-d", "--quiet")
    alternates.unlink()
    return template


def unpack(commit: str, directory: Path) -> None:
    """Write the files of a commit of this repository."""
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", commit], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(directory, filter="data")
