"""The template with all its releases, rebuilt from the commits that releases.toml records."""

import io
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rendering import ROOT, VERSION, copy_of_working_tree, git

RELEASES: dict[str, str] = tomllib.loads((ROOT / "releases.toml").read_text())["releases"]

IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.org")


def following(version: str) -> str:
    """The number of the minor release after this one."""
    first, second, _ = map(int, version.split("."))
    return f"{first}.{second + 1}.0"


# What the working tree will be released as, and what may come after it.
CURRENT = following(VERSION) if VERSION in RELEASES else VERSION
NEXT = "99.0.0"


class Template:
    """A repository of the template, with a tagged commit for each release."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(parents=True)
        git(place, "init")

    @classmethod
    def copy_of(cls, other: "Template", place: Path) -> "Template":
        """A clone to which releases can be added."""
        git(other.place, "clone", "--quiet", str(other.place), str(place))
        template = cls.__new__(cls)
        template.place = place
        return template

    @contextmanager
    def release(self, version: str) -> Iterator[Path]:
        """Commit and tag what is in the repository after the block."""
        yield self.place
        git(self.place, "add", "--all", "--force")
        git(self.place, *IDENTITY, "commit", "--message", version)
        git(self.place, "tag", f"v{version}")

    def empty(self) -> None:
        """Take every file out, before another release goes in."""
        git(self.place, "rm", "-r", "--quiet", "--ignore-unmatch", ".")


def template_with_history(place: Path) -> Template:
    """All releases in their order, then what is in the working tree."""
    template = Template(place)
    for version, commit in RELEASES.items():
        with template.release(version):
            template.empty()
            unpack(commit, place)
    with template.release(CURRENT):
        template.empty()
        copy_of_working_tree(place)
    return template


def unpack(commit: str, place: Path) -> None:
    """Write the files of a commit of this repository."""
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", commit], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(place, filter="data")
