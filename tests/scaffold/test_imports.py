"""The generator imports names that the kit has."""

import ast

from scaffold.imports import KNOWN, bound_names
from tests.rendering import Renderer


def test_kit_has_the_names_that_generated_code_imports(render: Renderer) -> None:
    source = render(auth="oidc") / "src"
    missing = [
        f"from {module} import {name}"
        for name, module in KNOWN.items()
        if module.startswith("app.")
        if not (path := source.joinpath(*module.split(".")).with_suffix(".py")).exists()
        or name not in bound_names(ast.parse(path.read_text()))
    ]
    assert missing == []
