"""docs/patterns.md refers to existing files and quotes them correctly."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/patterns.md").read_text()
FOLDERS = (ROOT / "src/app", ROOT / "tests", ROOT)

FILES = sorted(set(re.findall(r"`([\w/]+\.py)`", PAGE)))
MEMBERS = sorted(set(re.findall(r"`([\w/]+\.py)`: `([\w.]+)`", PAGE)))
QUOTES = re.findall(r"<!-- ([\w/.]+) -->\n```python\n(.*?)```", PAGE, re.DOTALL)


def text_of(name: str) -> str:
    """Return the text of this file in `src/app`, `tests` or the root."""
    return "".join((folder / name).read_text() for folder in FOLDERS if (folder / name).is_file())


@pytest.mark.parametrize("name", FILES)
def test_referenced_file_exists(name: str) -> None:
    assert text_of(name), f"docs/patterns.md refers to {name}, which does not exist"


@pytest.mark.parametrize(("name", "member"), MEMBERS)
def test_referenced_member_exists(name: str, member: str) -> None:
    for word in member.split("."):
        assert re.search(rf"\b{word}\b", text_of(name)), f"{name} has no {member}"


@pytest.mark.parametrize(("name", "quote"), QUOTES)
def test_quote_matches_file(name: str, quote: str) -> None:
    assert quote in text_of(name), f"docs/patterns.md quotes {name} incorrectly"


def test_every_quote_names_its_file() -> None:
    assert QUOTES
    assert len(QUOTES) == PAGE.count("```python")
