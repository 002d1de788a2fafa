"""The tutorial works: the test runs each command and makes each edit."""

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

    def run_commands(self, commands: str, expected: str) -> None:
        """Run commands in a shell, and check that they print the documented output."""
        where = "\nprintf '\\n%s' \"$PWD\""
        result = succeed("bash", "-euc", commands + where, cwd=self.directory, PATH=self.path)
        printed, _, working_directory = result.stdout.rpartition("\n")
        assert expected in printed, printed
        self.directory = Path(working_directory)

    def compare(self, name: str, text: str) -> None:
        """Check that a generated file contains the documented lines."""
        assert text in (self.directory / name).read_text(), name

    def append(self, name: str, text: str) -> None:
        """Append lines to a file."""
        with (self.directory / name).open("a") as file:
            file.write(text)

    def insert_after(self, anchor: str, text: str) -> None:
        """Insert lines after the one line of a file that is equal to the given one."""
        name, _, line = anchor.partition(": ")
        file = self.directory / name
        before, found, after = file.read_text().partition(f"\n{line}\n")
        assert found, anchor
        file.write_text(before + found + text + after)

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
    with open_directory() as directory:
        repository = repository_of_working_tree(directory / "origin")
        git(directory, "clone", "--quiet", str(repository), "clone")
        yield Reader(directory / "clone")


def test_tutorial_begins_with_three_commands() -> None:
    first = PAGE[PAGE.index("\n## 1. ") : PAGE.index("\n## 2. ")]
    commands = [text.removesuffix("&& cd ../my-service\n") for *_, text in STEP.findall(first)]
    assert len(commands) == 3
    assert not any(sign in command.strip() for command in commands for sign in ("\n", "&&", ";"))


def test_every_step_of_tutorial_works(reader: Reader, tmp_path: Path) -> None:
    steps = STEP.findall(PAGE)
    assert len(steps) == PAGE.count("```") / 2

    for kind, what, language, text in steps:
        match kind, language:
            case "written", "python":
                reader.compare(what, text)
            case "append", ("python" | "text"):
                reader.append(what, text)
            case "after", "python":
                reader.insert_after(what, text)
            case "serves", "sh":
                reader.serve(text, what, tmp_path / "log")
            case (("" | "shows"), "sh"):
                reader.run_commands(text, what)
            case _:
                pytest.fail(f"unknown code block: language {language}, comment {kind!r}")
