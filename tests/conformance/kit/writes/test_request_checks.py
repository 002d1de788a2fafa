"""Checks of batches."""

from types import SimpleNamespace

from app.kit.writes.request_checks import find_duplicates


def test_two_null_values_are_not_duplicates() -> None:
    rows = [SimpleNamespace(code=code) for code in (None, "a", None, "a")]
    assert [each.field for each in find_duplicates(rows, "code")] == ["body.rows.3.code"]
