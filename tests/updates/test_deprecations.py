"""What features call in the kit is announced for a release before it goes."""

import ast
from pathlib import Path

import pytest

from tests.rendering import ROOT
from tests.updates.history import RELEASES, unpack

# Variants of one file: whatever the answer, a feature finds these names in the kit.
PLACES = ["template/src/app/kit", "variants"]
# Names that no feature could use, and that went without notice.
NEVER_FOR_FEATURES = {"kit/db/session.ServiceSession"}


def public_names(place: Path) -> dict[str, bool]:
    """Each function, class and method that a feature may use, and whether it is deprecated."""
    found: dict[str, bool] = {}
    for root in (place / part for part in PLACES):
        for path in sorted(root.rglob("*.py")):
            if "tests" not in path.parts and "local_postgres" not in path.parts:
                module = path.relative_to(root.parent).with_suffix("").as_posix()
                found |= names_in(ast.parse(path.read_text()), module)
    return found


def names_in(tree: ast.Module | ast.ClassDef, prefix: str) -> dict[str, bool]:
    """The names that a module or a class defines."""
    found: dict[str, bool] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_"):
                continue
            name = f"{prefix}.{node.name}"
            found[name] = any("deprecated" in ast.unparse(each) for each in node.decorator_list)
            if isinstance(node, ast.ClassDef):
                found |= names_in(node, name)
    return found


@pytest.mark.parametrize("version", RELEASES)
def test_what_went_was_announced_in_the_release_before(version: str, tmp_path: Path) -> None:
    unpack(RELEASES[version], tmp_path)
    before, now = public_names(tmp_path), public_names(ROOT)

    assert len(before) > 50
    went = {name for name, deprecated in before.items() if name not in now and not deprecated}
    assert went <= NEVER_FOR_FEATURES, (
        "a team may call it: keep it, marked @deprecated('use …; it goes in the next release')"
    )
