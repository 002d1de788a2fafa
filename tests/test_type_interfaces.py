"""tests/type_interfaces.py notices every change that affects the types of other modules."""

from pathlib import Path

import pytest

from tests.type_interfaces import Modules, interface

MODULE = """from app.b import B, C

lines = partial(B, 1, size="small")

class A(B):
    limit: int = 1

    def __init__(self) -> None:
        self.name = str()

async def get(key: Annotated[str, "key"] = "a") -> int:
    return C(key)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("B, C", "B, C, D"),
        ('"small"', '"large"'),
        ("limit: int = 1", "limit: int = 2"),
        ('"key"]', '"id"]'),
        ("return C(key)", "return 1"),
    ],
)
def test_interface_ignores_values_and_function_bodies(old: str, new: str) -> None:
    assert old in MODULE
    assert interface(MODULE.replace(old, new)) == interface(MODULE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("app.b import B", "app.c import B"),
        ("partial(B", "partial(int"),
        ("limit: int = 1", "limit: int"),
        ("limit: int", "limit: Final"),
        ("str()", "int()"),
        ("key: Annotated[str", "key: Annotated[int"),
        ('"] = "a")', '"])'),
        ("-> int:", "-> str:"),
        ("-> int:", ":"),
        ("return C(key)", "yield C(key)"),
        ("async def", "def"),
    ],
)
def test_interface_contains_what_others_depend_on(old: str, new: str) -> None:
    assert old in MODULE
    assert interface(MODULE.replace(old, new)) != interface(MODULE)


def test_fingerprint_depends_on_indirect_imports(tmp_path: Path) -> None:
    source = tmp_path / "src/app"
    source.mkdir(parents=True)
    (source / "a.py").write_text("from app.b import B\n\nprint(B)\n")
    (source / "b.py").write_text("from app.c import C\n\nclass B(C): ...\n")
    seen: set[object] = set()
    for c in ("class C: ...\n", "class C:\n    size: int = 1\n", "class C:\n    size: int = 2\n"):
        (source / "c.py").write_text(c)
        seen.add(Modules(tmp_path).fingerprint("src/app/a.py"))
    assert len(seen) == 2
