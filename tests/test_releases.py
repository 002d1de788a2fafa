"""releases.toml records the commit of every release."""

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RELEASES: dict[str, str] = tomllib.loads((ROOT / "releases.toml").read_text())["releases"]


def git(*arguments: str) -> str:
    """Run Git in this repository; return its output."""
    run = subprocess.run(
        ["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def version_of(pyproject: str) -> str:
    """Return the version in a pyproject.toml."""
    version: str = tomllib.loads(pyproject)["project"]["version"]
    return version


@pytest.mark.parametrize(("version", "commit"), RELEASES.items())
def test_release_commit_has_its_version(version: str, commit: str) -> None:
    assert version_of(git("show", f"{commit}:pyproject.toml")) == version
    assert f"\n## {version} (" in git("show", f"{commit}:CHANGELOG.md")


@pytest.mark.parametrize("commit", RELEASES.values())
def test_release_commit_is_ancestor_of_head(commit: str) -> None:
    ancestors = git("rev-list", "HEAD").splitlines()
    assert commit in ancestors, (
        f"{commit} is not in the history. Make a full clone, not a shallow one."
    )


def test_releases_are_in_order() -> None:
    order = [git("rev-list", "--count", commit) for commit in RELEASES.values()]
    assert order == sorted(order, key=int)
    numbers = [tuple(map(int, version.split("."))) for version in RELEASES]
    assert numbers == sorted(numbers)


def test_every_dated_changelog_entry_is_release() -> None:
    headings = [
        line.split()[1]
        for line in (ROOT / "CHANGELOG.md").read_text().splitlines()
        if line.startswith("## ") and "(" in line
    ]
    unrecorded = set(headings) - RELEASES.keys()
    # The commit of a release cannot contain its own hash: the next commit records it.
    assert unrecorded <= {version_of((ROOT / "pyproject.toml").read_text())}
