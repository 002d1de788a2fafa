"""The table of questions and the two commands in README.md are correct."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.processes import eventually, open_directory, serving
from tests.rendering import ROOT, git, questionnaire, repository_of_working_tree

README = (ROOT / "README.md").read_text()
# Includes the download of all dependencies.
SECONDS_TO_SERVE = 240


def table() -> dict[str, list[str]]:
    """Return the rows of the table of questions by the name of the question."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", README, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in rows}


def command(name: str) -> str:
    """Return the command in the code block with this marker."""
    block = re.search(rf"<!-- command: {name} -->\n```\w*\n(.+?)\n```", README, re.DOTALL)
    assert block, f"README.md has no code block after <!-- command: {name} -->"
    assert "\n" not in block[1]
    return block[1]


def test_table_has_every_question_in_order() -> None:
    assert "| question | choices or range | default | how to choose |" in README
    assert list(table()) == list(questionnaire())


@pytest.mark.parametrize(("name", "question"), questionnaire().items())
def test_table_has_defaults(name: str, question: dict[str, Any]) -> None:
    shown = table()[name][1].strip("`")

    # The default of `tune_pool` is computed: true only with a pool setting in `--data`.
    default = False if name == "tune_pool" else question["default"]
    assert (shown if "import text" in question["type"] else yaml.safe_load(shown)) == default


@pytest.mark.parametrize(("name", "question"), questionnaire().items())
def test_table_has_choices_or_range(name: str, question: dict[str, Any]) -> None:
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
    """Return the numbers in a text."""
    return re.findall(r"-?\d+(?:\.\d+)?", text)


@pytest.mark.parametrize("name", questionnaire())
def test_table_has_reasons(name: str) -> None:
    assert len(table()[name][2].split()) >= 4


def test_test_command_is_the_ci_command() -> None:
    assert command("test") in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.fixture
def clone() -> Iterator[Path]:
    """A new clone of this repository, in an empty directory."""
    with open_directory() as directory:
        repository = repository_of_working_tree(directory / "origin")
        git(directory, "clone", "--quiet", str(repository), "clone")
        yield directory / "clone"


@pytest.mark.slow
def test_serve_command_works_in_new_clone(clone: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()

    with serving(
        *("bash", "-c", command("serve")),
        cwd=clone,
        port=8000,
        log=tmp_path / "log",
        HOME=str(home),
    ) as server:
        server.wait_until_ready(SECONDS_TO_SERVE)

        assert server.get("/docs").is_success
        assert (clone.parent / "my-service" / ".pgdata").is_dir()
        server.interrupt()
        assert eventually(lambda: not server.has_running_processes())
