"""Every release is recorded as the commit it was, and the record cannot drift."""

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RELEASES: dict[str, str] = tomllib.loads((ROOT / "releases.toml").read_text())["releases"]


def git(*arguments: str) -> str:
    """What git says of this repository."""
    run = subprocess.run(
        ["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def version_of(pyproject: str) -> str:
    """The version that a `pyproject.toml` states."""
    version: str = tomllib.loads(pyproject)["project"]["version"]
    return version


@pytest.mark.parametrize(("version", "commit"), RELEASES.items())
def test_the_commit_of_a_release_states_its_version(version: str, commit: str) -> None:
    assert version_of(git("show", f"{commit}:pyproject.toml")) == version
    assert f"\n## {version} (" in git("show", f"{commit}:CHANGELOG.md")


@pytest.mark.parametrize("commit", RELEASES.values())
def test_a_release_is_part_of_this_history(commit: str) -> None:
    ancestors = git("rev-list", "HEAD").splitlines()
    assert commit in ancestors, f"{commit} is not in the history; clone the repository whole"


def test_releases_follow_one_another() -> None:
    order = [git("rev-list", "--count", commit) for commit in RELEASES.values()]
    assert order == sorted(order, key=int)
    numbers = [tuple(map(int, version.split("."))) for version in RELEASES]
    assert numbers == sorted(numbers)


def test_every_dated_entry_of_the_changelog_is_a_release() -> None:
    headings = [
        line.split()[1]
        for line in (ROOT / "CHANGELOG.md").read_text().splitlines()
        if line.startswith("## ") and "(" in line
    ]
    unrecorded = set(headings) - RELEASES.keys()
    # The commit of a release cannot hold its own hash: the next one records it.
    assert unrecorded <= {version_of((ROOT / "pyproject.toml").read_text())}
