"""What includes/example.jinja says of the example, on which updates rely, is so."""

import re
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader

from tests.rendering import ROOT, TEMPLATE, git
from tests.updates.history import CURRENT, RELEASES

SAID: Any = Environment(loader=FileSystemLoader(ROOT)).get_template("includes/example.jinja").module  # noqa: S701 - renders no HTML
SOURCES = TEMPLATE / "src/app/example"
TESTS = TEMPLATE / "tests/example"


def imported_by(path: Path) -> set[str]:
    """The features that a file imports, itself or through other files of the tests."""
    text = path.read_text()
    found = set(re.findall(r"app\.example\.(\w+)\.", text))
    for module in re.findall(r"tests\.example\.(\w+)", text):
        # A team that moves a feature changes the factories, which were there from the first day.
        if module != "factories":
            found |= imported_by(TESTS / f"{module}.py")
    return found


def names_at(version: str) -> set[str]:
    """The files of the template at a release."""
    listed = git(ROOT, "ls-tree", "-r", "--name-only", RELEASES[version], "template")
    return set(listed.split())


def test_each_folder_of_the_example_is_a_feature() -> None:
    assert SAID.features.keys() == {
        path.parent.name for path in SOURCES.glob("*/*.py") if path.parent.name != "__pycache__"
    }


def test_a_later_feature_names_all_that_it_imports() -> None:
    for name, feature in SAID.features.items():
        if feature["since"] != min(RELEASES):
            needed = set().union(*map(imported_by, (SOURCES / name).glob("*.py"))) - {name}
            assert set(feature["needs"]) == needed


def test_each_shipped_revision_is_named_in_its_order() -> None:
    revisions = sorted((TEMPLATE / "migrations/versions").iterdir())

    assert [path.name.split("_", 3)[3].split(".")[0] for path in revisions] == list(SAID.revisions)
    assert {revision["of"] for revision in SAID.revisions.values()} <= SAID.features.keys()


@pytest.mark.parametrize("version", RELEASES)
def test_what_a_release_brought_came_with_it(version: str) -> None:
    names = names_at(version)
    for name, feature in SAID.features.items():
        assert (f"template/src/app/example/{name}/models.py" in names) is (
            numbers(feature["since"]) <= numbers(version)
        )
    for name, revision in SAID.revisions.items():
        assert any(f"_{name}.py" in each for each in names) is (
            numbers(revision["since"]) <= numbers(version)
        )


def test_nothing_came_with_a_release_that_is_not_there_yet() -> None:
    for entry in (*SAID.features.values(), *SAID.revisions.values()):
        assert entry["since"] in {*RELEASES, CURRENT}


def numbers(version: str) -> list[int]:
    """A version to compare."""
    return [int(number) for number in version.split(".")]


def test_each_file_beside_the_features_names_those_that_it_imports() -> None:
    found = {
        path.relative_to(TEMPLATE).as_posix(): sorted(imported_by(path))
        for path in (*SOURCES.glob("*.py"), *TESTS.glob("*.py"))
        if path.name not in {"__init__.py", "factories.py"}
    }

    assert {name: needs for name, needs in found.items() if needs} == SAID.files
