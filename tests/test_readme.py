"""The README tells the truth: its table of questions, and its two commands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.processes import eventually, open_directory, serving
from tests.rendering import ROOT, git, questionnaire, repository_of_working_tree

README = (ROOT / "README.md").read_text()
# With an empty cache it downloads everything first.
SECONDS_TO_SERVE = 240


def table() -> dict[str, list[str]]:
    """The rows of the table of questions, by the name of the question."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", README, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in rows}


def command(name: str) -> str:
    """The command as it is printed, which is all of its block."""
    block = re.search(rf"<!-- command: {name} -->\n```\w*\n(.+?)\n```", README, re.DOTALL)
    assert block, f"README.md has no block marked <!-- command: {name} -->"
    assert "\n" not in block[1]
    return block[1]


def test_the_table_has_every_question_in_its_order() -> None:
    assert "| question | choices or range | default | why one would choose what |" in README
    assert list(table()) == list(questionnaire())


@pytest.mark.parametrize(("name", "question"), questionnaire().items())
def test_the_table_has_the_default_of_a_question(name: str, question: dict[str, Any]) -> None:
    shown = table()[name][1].strip("`")

    # `tune_pool` is true only where a pool setting is answered.
    default = False if name == "tune_pool" else question["default"]
    assert (shown if "import text" in question["type"] else yaml.safe_load(shown)) == default


@pytest.mark.parametrize(("name", "question"), questionnaire().items())
def test_the_table_has_the_choices_or_the_range(name: str, question: dict[str, Any]) -> None:
    shown = table()[name][0]

    if choices := question.get("choices"):
        values = choices.values() if isinstance(choices, dict) else choices
        written = [str(value).lower() if value in (True, False) else value for value in values]
        assert re.findall(r"`([^`]+)`", shown) == written
    elif "import number" in question["type"]:
        assert numbers(shown) == numbers(question["validator"].rpartition("%}answer")[2])
    else:
        assert shown


def numbers(text: str) -> list[str]:
    """The numbers in it, in their order."""
    return re.findall(r"-?\d+(?:\.\d+)?", text)


@pytest.mark.parametrize("name", questionnaire())
def test_the_table_says_why(name: str) -> None:
    assert len(table()[name][2].split()) >= 4


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    assert command("test") in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.fixture
def clone() -> Iterator[Path]:
    """A new clone of this repository, with room for a service beside it."""
    with open_directory() as place:
        repository = repository_of_working_tree(place / "origin")
        git(place, "clone", "--quiet", str(repository), "clone")
        yield place / "clone"


@pytest.mark.slow
def test_the_first_command_serves_in_a_fresh_clone(clone: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()

    with serving(
        *("bash", "-c", command("serve")),
        cwd=clone,
        port=8000,
        log=tmp_path / "log",
        HOME=str(home),
    ) as server:
        server.until_ready(SECONDS_TO_SERVE)

        assert server.get("/docs").is_success
        assert (clone.parent / "my-service" / ".pgdata").is_dir()
        server.interrupt()
        assert eventually(lambda: not server.has_left_processes())
