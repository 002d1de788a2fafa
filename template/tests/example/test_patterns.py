"""docs/patterns.md names files that exist, and quotes what stands in them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/patterns.md").read_text()
FOLDERS = (ROOT / "src/app", ROOT / "tests")

NAMED = sorted(set(re.findall(r"`([\w/]+\.py)`", PAGE)))
MEMBERS = sorted(set(re.findall(r"`([\w/]+\.py)`: `([\w.]+)`", PAGE)))
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
