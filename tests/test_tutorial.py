"""The tutorial is walked through by a newcomer: each command is run, each file written."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import UV, environment, free_port, open_directory, serving, succeed
from tests.rendering import ROOT, git, repository_of_working_tree

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "tutorial.md").read_text()
# A block, and what the comment right above it says about it.
STEP = re.compile(r"(?:<!-- (\w+): ([^\n]+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
SECONDS_TO_SERVE = 90


class Newcomer:
    """Somebody who reads the page from the top and does what it says."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = os.pathsep.join([str(Path(UV).parent), environment()["PATH"]])

    def runs(self, commands: str, shown: str) -> None:
        """Type the commands; what they print has in it what the page says that it shows."""
        where = "\nprintf '\\n%s' \"$PWD\""
        ended = succeed("bash", "-euc", commands + where, cwd=self.directory, PATH=self.path)
        printed, _, place = ended.stdout.rpartition("\n")
        assert shown in printed, printed
        self.directory = Path(place)

    def writes(self, name: str, text: str) -> None:
        """Make a file."""
        file = self.directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        assert not file.exists()
        file.write_text(text)

    def adds(self, place: str, text: str) -> None:
        """Add lines below the one line of a file that says so."""
        name, _, marker = place.partition(": ")
        file = self.directory / name
        lines = file.read_text().splitlines(keepends=True)
        [number] = [number for number, line in enumerate(lines) if f", {marker} " in line]
        lines.insert(number + 1, text)
        file.write_text("".join(lines))

    def serves(self, command: str, page: str, log: Path) -> None:
        """Start the service, look at a page, and end it."""
        port = free_port()
        words = shlex.split(command)
        with serving(
            *words, cwd=self.directory, port=port, log=log, PATH=self.path, PORT=str(port)
        ) as server:
            server.until_ready(SECONDS_TO_SERVE)
            assert server.get(page).is_success
            assert "/bookmarks" in server.get("/openapi.json").json()["paths"]
            server.interrupt()


@pytest.fixture
def newcomer() -> Iterator[Newcomer]:
    """Somebody in a fresh clone of this repository."""
    with open_directory() as place:
        repository = repository_of_working_tree(place / "origin")
        git(place, "clone", "--quiet", str(repository), "clone")
        yield Newcomer(place / "clone")


def test_a_newcomer_adds_a_feature_in_ten_minutes(newcomer: Newcomer, tmp_path: Path) -> None:
    steps = STEP.findall(PAGE)
    assert len(steps) == PAGE.count("```") / 2

    for kind, what, language, text in steps:
        match kind, language:
            case "file", "python":
                newcomer.writes(what, text)
            case "below", ("python" | "text"):
                newcomer.adds(what, text)
            case "serves", "sh":
                newcomer.serves(text, what, tmp_path / "log")
            case (("" | "shows"), "sh"):
                newcomer.runs(text, what)
            case _:
                pytest.fail(f"nobody knows what to do with a block of {language}: {kind}")
