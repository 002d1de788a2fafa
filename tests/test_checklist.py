"""docs/checklist.md and docs/reliability.md name files and tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A table row: number, pattern, file, test.
ROW = re.compile(r"^\| (?P<number>[A-M]\d*) \|.*\| `(?P<file>[^`]+)` \| `(?P<test>[^`]+)` \|$")
ROWS = [
    match
    for line in (ROOT / "docs" / "checklist.md").read_text().splitlines()
    if (match := ROW.match(line))
]


def test_checklist_has_every_section() -> None:
    assert {row["number"][0] for row in ROWS} >= set("ABCDEFGHIJKLM")


def test_checklist_rows_are_well_formed() -> None:
    rows = [
        line
        for line in (ROOT / "docs" / "checklist.md").read_text().splitlines()
        if re.match(r"^\| [A-M]", line)
    ]
    assert len(rows) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['number']}-{row['test']}")
def test_file_and_test_of_pattern_exist(row: re.Match[str]) -> None:
    assert (ROOT / row["file"]).is_file()
    path, _, name = row["test"].partition("::")
    assert re.search(rf"^\s*(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


def test_test_of_every_promise_exists() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text()
    references = re.findall(r"`((?:template/)?tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(references) >= 20
    for file, test in references:
        assert f"def {test}(" in (ROOT / file).read_text() or not test, f"{file} has no {test}"
