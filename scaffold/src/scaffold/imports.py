"""Missing imports of generated code, found by the names that it uses."""

import ast
from collections.abc import Mapping

_MODULES = {
    # Imported as modules.
    "": "pytest",
    "app.kit.auth.caller": "ScopedAPIRouter",
    "app.kit.db.base": "Base TimestampedModel utc_now value_enum",
    "app.kit.db.deletion": "DELETE_ERRORS Model delete_where unique_when_not_deleted",
    "app.kit.db.ids": "Id",
    "app.kit.writes.request_checks": "check_references",
    "app.kit.db.relationships": "relationship",
    "app.kit.queries.repository": "Repository load_options",
    "app.kit.queries.sorting": "order_by",
    "app.kit.errors.problems": "problem_responses",
    "app.kit.http.dependencies": "DatabaseDep SessionDep",
    "app.kit.http.etag": "ETag",
    "app.kit.queries.pagination": "CursorPage CursorPageResult CursorQuery"
    " Page PageQuery PageResult",
    "app.kit.queries.view": "View",
    "app.kit.http.schemas": "LongStr PatchModel RequestModel ResponseModel"
    " SearchStr ShortStr UtcDatetime optional_field",
    "collections.abc": "Collection",
    "datetime": "UTC date datetime time timedelta",
    "decimal": "Decimal",
    "enum": "StrEnum",
    "fastapi": "APIRouter Query status",
    "httpx2": "AsyncClient",
    "itertools": "count",
    "pydantic": "Field JsonValue",
    "sqlalchemy": "BigInteger Boolean Date DateTime ForeignKey Index Integer Numeric Select"
    " String Text Uuid delete false or_ true",
    "sqlalchemy.dialects.postgresql": "ARRAY JSONB",
    "sqlalchemy.ext.asyncio": "AsyncSession",
    "sqlalchemy.orm": "Mapped mapped_column",
    "typing": "TYPE_CHECKING Annotated Any",
    "uuid": "UUID",
}
KNOWN = {name: module for module, names in _MODULES.items() for name in names.split()}


def missing_imports(source: str, feature_names: Mapping[str, str]) -> list[str]:
    """Return the missing imports of a module; `feature_names` maps more names to modules."""
    tree = ast.parse(source)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    used = {node.id for node in names} - stored
    # Annotations may be quoted.
    strings = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    used |= {text.split(" ")[0] for text in strings if isinstance(text, str) and " | " in text}
    modules = {**KNOWN, **feature_names}
    return [
        f"from {modules[name]} import {name}" if modules[name] else f"import {name}"
        for name in sorted(used - bound_names(tree))
        if name in modules
    ]


def bound_names(tree: ast.Module) -> set[str]:
    """Return the names that a module defines or imports at its top level."""
    return set(definitions(tree))


def definitions(tree: ast.Module) -> list[str]:
    """Return the names of a module's top-level definitions, in order and with duplicates."""
    found: list[str] = []
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.append(name)
            case ast.AsyncFunctionDef(name=name):
                found.append(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found += [each.asname or each.name for each in names]
            case ast.Assign(targets=targets):
                found += [each.id for each in targets if isinstance(each, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.append(name)
            case _:
                pass
    return found


def add_imports(source: str, feature_names: Mapping[str, str]) -> str:
    """Add the missing imports to a module: above its first import or below its docstring."""
    added = missing_imports(source, feature_names)
    if not added:
        return source
    tree = ast.parse(source)
    first = next((n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)), None)
    docstring = tree.body[0].end_lineno if ast.get_docstring(tree) and tree.body else 0
    line = (first.lineno - 1) if first else (docstring or 0)
    old = source.splitlines()
    new = added if first else ["", *added, ""]
    return "\n".join([*old[:line], *new, *old[line:]]) + "\n"
