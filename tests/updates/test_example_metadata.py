"""includes/example.jinja, which updates use, describes the example correctly."""

import re
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader

from tests.rendering import ROOT, TEMPLATE, git
from tests.updates.history import CURRENT, RELEASES

JINJA = Environment(loader=FileSystemLoader(ROOT))  # noqa: S701 - renders no HTML
METADATA: Any = JINJA.get_template("includes/example.jinja").module
SOURCES = TEMPLATE / "src/app/example"
TESTS = TEMPLATE / "tests/example"


def features_imported_by(path: Path) -> set[str]:
    """Return the features that a file imports, directly or through test modules."""
    text = path.read_text()
    found = set(re.findall(r"app\.example\.(\w+)\.", text))
    for module in re.findall(r"tests\.example\.(\w+)", text):
        # Not the factories: every release has them, and a team that moves a feature edits them.
        if module != "factories":
            found |= features_imported_by(TESTS / f"{module}.py")
    return found


def files_at(version: str) -> set[str]:
    """Return the file names of the template at a release."""
    listed = git(ROOT, "ls-tree", "-r", "--name-only", RELEASES[version], "template")
    return set(listed.split())


def test_each_example_folder_is_declared_feature() -> None:
    assert METADATA.features.keys() == {
        path.parent.name for path in SOURCES.glob("*/*.py") if path.parent.name != "__pycache__"
    }


def test_later_features_declare_features_that_they_import() -> None:
    for name, feature in METADATA.features.items():
        if feature["since"] != min(RELEASES):
            needed = set().union(*map(features_imported_by, (SOURCES / name).glob("*.py*"))) - {
                name
            }
            assert set(feature["needs"]) == needed


def test_shipped_migrations_are_declared_in_order() -> None:
    revisions = sorted((TEMPLATE / "migrations/versions").iterdir())

    assert [path.name.split("_", 3)[3].split(".")[0] for path in revisions] == list(
        METADATA.revisions
    )
    assert {revision["of"] for revision in METADATA.revisions.values()} <= METADATA.features.keys()


@pytest.mark.parametrize("version", RELEASES)
def test_features_and_migrations_exist_since_declared_release(version: str) -> None:
    names = files_at(version)
    for name, feature in METADATA.features.items():
        models = f"template/src/app/example/{name}/models.py"
        assert (models in names or f"{models}.jinja" in names) is (
            numbers(feature["since"]) <= numbers(version)
        )
    for name, revision in METADATA.revisions.items():
        assert any(f"_{name}.py" in each for each in names) is (
            numbers(revision["since"]) <= numbers(version)
        )


def test_declared_releases_exist() -> None:
    for entry in (*METADATA.features.values(), *METADATA.revisions.values()):
        assert entry["since"] in {*RELEASES, CURRENT}


def numbers(version: str) -> list[int]:
    """Return a version as numbers, for comparison."""
    return [int(number) for number in version.split(".")]


def test_other_example_files_declare_features_that_they_import() -> None:
    found = {
        path.relative_to(TEMPLATE).as_posix(): sorted(features_imported_by(path))
        for path in (*SOURCES.glob("*.py"), *TESTS.glob("*.py"))
        if path.name not in {"__init__.py", "factories.py"}
    }

    assert {name: needs for name, needs in found.items() if needs} == METADATA.files
