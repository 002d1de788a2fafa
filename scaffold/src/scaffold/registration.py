"""The lines of `src/app/registry.py` that register a router."""

import ast

from app.kit.cli.errors import CommandFailed
from scaffold.feature import Feature
from scaffold.imports import bound_names

PATH = "src/app/registry.py"
_IMPORTS = ", the imports of your features follow "
_ROUTERS = ", your features follow "


def register(source: str, feature: Feature) -> str:
    """Return the registry with the router of a feature; raises CommandFailed without markers."""
    tree = ast.parse(source)
    names = bound_names(tree)
    router = feature.plural if feature.plural not in names else f"{feature.plural}_router"
    if router in names:
        raise CommandFailed(f"{PATH} uses the name `{router}` already: rename it there.")
    module = f"app.features.{feature.plural}.router"
    renamed = f" as {router}"
    lines = source.splitlines()
    at = _line_of(lines, _ROUTERS) + 1
    lines.insert(at, f"    {router},")
    at = _place_of_import(tree, _line_of(lines, _IMPORTS) + 1, module)
    lines.insert(at, f"from {module} import router{renamed}")
    return "\n".join(lines) + "\n"


def _line_of(lines: list[str], marker: str) -> int:
    found = [number for number, line in enumerate(lines) if marker in line]
    if len(found) != 1:
        raise CommandFailed(
            f"{PATH} does not have its marker line `{marker.strip(', ')}`: add it again."
        )
    return found[0]


def _place_of_import(tree: ast.Module, first: int, module: str) -> int:
    """Return the line before which to import a module, below the marker, sorted by name."""
    at = first
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.lineno > first:
            if (node.module or "") > module:
                break
            at = node.end_lineno or node.lineno
    return at
