"""The tutorial works: the test runs each command and writes each file."""

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
# A code block, with the comment in the line above.
STEP = re.compile(r"(?:<!-- (\w+): ([^\n]+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
SECONDS_TO_SERVE = 90


class Reader:
    """Follows the steps of the tutorial."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = os.pathsep.join([str(Path(UV).parent), environment()["PATH"]])

    def run_commands(self, commands: str, shown: str) -> None:
        """Run commands in a shell, and check that they print the documented output."""
        where = "\nprintf '\\n%s' \"$PWD\""
        ended = succeed("bash", "-euc", commands + where, cwd=self.directory, PATH=self.path)
        printed, _, place = ended.stdout.rpartition("\n")
        assert shown in printed, printed
        self.directory = Path(place)

    def write_file(self, name: str, text: str) -> None:
        """Create a file."""
        file = self.directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        assert not file.exists()
        file.write_text(text)

    def insert_below(self, place: str, text: str) -> None:
        """Insert lines below the marker line of a file."""
        name, _, marker = place.partition(": ")
        file = self.directory / name
        lines = file.read_text().splitlines(keepends=True)
        [number] = [number for number, line in enumerate(lines) if f", {marker} " in line]
        lines.insert(number + 1, text)
        file.write_text("".join(lines))

    def serve(self, command: str, page: str, log: Path) -> None:
        """Start the service, request a page, and stop the service."""
        port = free_port()
        words = shlex.split(command)
        with serving(
            *words, cwd=self.directory, port=port, log=log, PATH=self.path, PORT=str(port)
        ) as server:
            server.wait_until_ready(SECONDS_TO_SERVE)
            assert server.get(page).is_success
            assert "/bookmarks" in server.get("/openapi.json").json()["paths"]
            server.interrupt()


@pytest.fixture
def reader() -> Iterator[Reader]:
    """A reader with a new clone of this repository."""
    with open_directory() as place:
        repository = repository_of_working_tree(place / "origin")
        git(place, "clone", "--quiet", str(repository), "clone")
        yield Reader(place / "clone")


def test_every_step_of_tutorial_works(reader: Reader, tmp_path: Path) -> None:
    steps = STEP.findall(PAGE)
    assert len(steps) == PAGE.count("```") / 2

    for kind, what, language, text in steps:
        match kind, language:
            case "file", "python":
                reader.write_file(what, text)
            case "below", ("python" | "text"):
                reader.insert_below(what, text)
            case "serves", "sh":
                reader.serve(text, what, tmp_path / "log")
            case (("" | "shows"), "sh"):
                reader.run_commands(text, what)
            case _:
                pytest.fail(f"unknown code block: language {language}, comment {kind!r}")
