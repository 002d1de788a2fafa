"""Each public name of release 0.8.0 is importable after an update, or is announced as removed."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hooks.move_code import Definition, module_level, parse
from hooks.move_list import Moves, module_of, path_of
from hooks.move_migrations import names_of
from tests.updates.history import CURRENT, Template, announced_removals

pytestmark = pytest.mark.slow

MOVES = Moves.load()
# The last release before the move, which moves.toml describes.
BEFORE = "0.8.0"
PACKAGES = ("src/app/kit", "tests/rig", "tests/support")
# Together, they have every module.
ANSWERS: list[dict[str, Any]] = [
    {},
    {"auth": "oidc", "telemetry": True, "soft_delete": False, "pk_type": "int"},
]


def public_names(file: Path) -> Iterator[str]:
    """Yield the public names that a module defines, or imports `as` themselves."""
    tree = parse(file.read_text())
    assert tree is not None, file
    for node in module_level(tree):
        name = ""
        if isinstance(node, Definition):
            name = node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.alias) and node.asname == node.name:
            name = node.name
        # A type variable has one letter, and is not public.
        if len(name) > 1 and not name.startswith("_"):
            yield name


@pytest.mark.parametrize("answers", ANSWERS, ids=["default", "others"])
def test_released_name_is_importable_after_the_update(
    template: Template, rendering: Callable[..., Path], answers: dict[str, Any]
) -> None:
    old, new = rendering(template, BEFORE, **answers), rendering(template, CURRENT, **answers)
    announced, lost = announced_removals(), []
    for module, names in MOVES.kept.items():
        assert names_of(new / path_of(module)) >= {*names}

    for file in sorted(path for package in PACKAGES for path in (old / package).rglob("*.py")):
        module = module_of(file.relative_to(old).as_posix()) or ""
        for name in dict.fromkeys(public_names(file)):
            target, renamed = MOVES.imported(module, name)
            is_announced = {f"{module}.{name}", name} & announced or (
                # A removed module.
                module in announced and not (new / f"{path_of(target)}.py").exists()
            )
            if renamed not in names_of(new / path_of(target)) and not is_announced:
                lost.append(f"{module}.{name}")

    assert not lost, "add a line to hooks/moves.toml, or announce the removal in CHANGELOG.md"


def test_new_names_exist(template: Template, rendering: Callable[..., Path]) -> None:
    new = rendering(template, CURRENT, auth="oidc")
    targets = [name.rpartition(".") for name in {*MOVES.modules.values(), *MOVES.names.values()}]

    lacking = [
        f"{parent}.{name}"
        for parent, _, name in targets
        if parent
        and parent not in {*MOVES.restored, "fastapi"}
        and name not in names_of(new / path_of(parent))
    ]
    lacking += [
        name for parent, _, name in targets if not (parent or names_of(new / path_of(name)))
    ]
    assert not lacking
