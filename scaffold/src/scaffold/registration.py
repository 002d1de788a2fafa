"""Registration of a router in `src/app/registry.py`."""

import ast

from app.kit.cli.errors import CommandFailed
from scaffold.feature import Feature
from scaffold.imports import bound_names

PATH = "src/app/registry.py"
_IMPORT_MARKER = ", the imports of your features follow "
_ROUTER_MARKER = ", your features follow "


def register(source: str, feature: Feature) -> str:
    """Add the router of a feature to the registry; raises CommandFailed if a marker is missing."""
    tree = ast.parse(source)
    names = bound_names(tree)
    router = feature.plural if feature.plural not in names else f"{feature.plural}_router"
    if router in names:
        raise CommandFailed(f"{PATH} uses the name `{router}` already: rename it there.")
    module = f"app.features.{feature.plural}.router"
    lines = source.splitlines()
    lines.insert(_marker_line(lines, _ROUTER_MARKER) + 1, f"    {router},")
    line = _import_line(tree, _marker_line(lines, _IMPORT_MARKER) + 1, module)
    lines.insert(line, f"from {module} import router as {router}")
    return "\n".join(lines) + "\n"


def _marker_line(lines: list[str], marker: str) -> int:
    found = [number for number, line in enumerate(lines) if marker in line]
    if len(found) != 1:
        raise CommandFailed(
            f"{PATH} does not have its marker line `{marker.strip(', ')}`: add it again."
        )
    return found[0]


def _import_line(tree: ast.Module, first_line: int, module: str) -> int:
    """Return the line at which to import a module: below the marker, sorted by name."""
    line = first_line
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.lineno > first_line:
            if (node.module or "") > module:
                break
            line = node.end_lineno or node.lineno
    return line
