"""docs/patterns.md names files that exist, and quotes what stands in them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/patterns.md").read_text()
FOLDERS = (ROOT / "src/app", ROOT / "tests")

NAMED = sorted(set(re.findall(r"`([\w/]+\.py)`", PAGE)))
MEMBERS = sorted(set(re.findall(r"`([\w/]+\.py)`: `([\w.]+)`", PAGE)))
# What no feature needs to look into.
UNTOLD = {
    "kit/__init__.py",
    "kit/application.py",
    "kit/db/__init__.py",
    "kit/development.py",
    "kit/health.py",
    "kit/queries/__init__.py",
    "kit/times.py",
}
QUOTES = re.findall(r"<!-- ([\w/.]+) -->\n```python\n(.*?)```", PAGE, re.DOTALL)


def text_of(name: str) -> str:
    """The file of this name, in the source or in the tests."""
    return "".join((folder / name).read_text() for folder in FOLDERS if (folder / name).is_file())


@pytest.mark.parametrize("name", NAMED)
def test_the_file_exists(name: str) -> None:
    assert text_of(name), f"docs/patterns.md names {name}, which is not there"


@pytest.mark.parametrize(("name", "member"), MEMBERS)
def test_the_file_has_what_the_page_looks_for(name: str, member: str) -> None:
    for word in member.split("."):
        assert re.search(rf"\b{word}\b", text_of(name)), f"{name} has no {member}"


@pytest.mark.parametrize(("name", "quote"), QUOTES)
def test_the_quote_stands_in_the_file(name: str, quote: str) -> None:
    assert quote in text_of(name), f"docs/patterns.md quotes from {name} what is not there"


def test_every_quote_names_its_file() -> None:
    assert QUOTES
    assert len(QUOTES) == PAGE.count("```python")


def test_every_module_of_the_kit_is_told_of() -> None:
    kit = (ROOT / "src/app/kit").rglob("*.py")
    modules = {path.relative_to(ROOT / "src/app").as_posix() for path in kit if path.stat().st_size}
    left_out = {name for name in modules - set(NAMED) if "local_postgres" not in name}
    assert not left_out - UNTOLD, "add it to docs/patterns.md"
