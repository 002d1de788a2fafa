"""Architecture rules on the code of the service, including the team's; each message names the fix.

Ruff checks imports and naive datetimes, see `banned-api` in pyproject.toml. The rules in this file
need the syntax tree: a rule gets one node and returns a message, or None.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"

Rule = Callable[[ast.AST, str], str | None]


def lint_source(source: str, path: str) -> list[str]:
    """Return the rule violations of a module, with line numbers. `path` is relative to `src`."""
    return [message for _, message in broken_rules(source, path)]


def broken_rules(source: str, path: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each violated rule, with location and message."""
    for node in ast.walk(ast.parse(source)):
        for rule in RULES:
            if message := rule(node, path):
                yield rule.__name__, f"{path}:{getattr(node, 'lineno', 1)}: {message}"


def _name(node: ast.AST) -> str | None:
    """Return the last part of a name: `commit` for `session.commit`."""
    if isinstance(node, ast.alias):
        return node.name.rpartition(".")[2]
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)


def _called(node: ast.AST) -> str | None:
    return _name(node.func) if isinstance(node, ast.Call) else None


def _keywords(node: ast.AST) -> dict[str | None, ast.expr]:
    return {word.arg: word.value for word in node.keywords} if isinstance(node, ast.Call) else {}


def commits(node: ast.AST, _path: str) -> str | None:
    if _called(node) in {"commit", "rollback"}:
        return "only the session dependency ends a transaction: flush, or use `savepoint`"
    return None


def creates_tables(node: ast.AST, _path: str) -> str | None:
    if _name(node) in {"create_all", "drop_all"}:
        return "migrations create the schema: write a migration and run `migrate`"
    return None


def changes_sessions(node: ast.AST, _path: str) -> str | None:
    words = _keywords(node)
    off = isinstance(flush := words.get("autoflush"), ast.Constant) and flush.value is False
    if off or "autocommit" in words:
        return "reads must see earlier writes: keep the session's defaults"
    return None


def declares_loading(node: ast.AST, path: str) -> str | None:
    if path == "app/kit/db/relationships.py":
        return None
    if "backref" in _keywords(node):
        return "use `back_populates` on both sides: `backref` hides the type of the other side"
    if "lazy" in _keywords(node):
        return "app.kit.db.relationships sets the lazy strategy: use loader options instead"
    return None


def wraps_requests(node: ast.AST, _path: str) -> str | None:
    if _called(node) == "middleware":
        return (
            "reduces throughput by a fifth: write an ASGI middleware, as in "
            "app.kit.http.middleware.security"
        )
    return None


def reaches_out_of_the_kit(node: ast.AST, path: str) -> str | None:
    modules: list[str] = []
    if isinstance(node, ast.ImportFrom):
        modules = [f"{node.module}.{name.name}" for name in node.names]
    elif isinstance(node, ast.Import):
        modules = [name.name for name in node.names]
    outside = [name for name in modules if name.startswith("app.") and name[:8] != "app.kit."]
    if path.startswith("app/kit/") and outside:
        return "the kit does not import the service: pass what it needs as an argument"
    return None


BOUNDS = {"where", "limit", "exists", "count", "scalar", "page", "yield_per", "returning", "get"}


def reads_without_bound(node: ast.AST, _path: str) -> str | None:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    called = {name for child in ast.walk(node) if (name := _called(child))}
    if "select" in called and called & {"all", "scalars"} and not called & BOUNDS:
        return "reads a whole table: return a page (`Repository.page`) or stream the rows"
    return None


SQL_FUNCTIONS = {"text", "literal_column"}
SQL_METHODS = {
    *("exec_driver_sql", "execute", "stream", "scalar", "scalars"),
    *("stream_scalars", "fetch", "fetchrow", "fetchval"),
}


def builds_sql_from_values(node: ast.AST, _path: str) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    is_method = isinstance(node.func, ast.Attribute) and _called(node) in SQL_METHODS
    if (is_method or _called(node) in SQL_FUNCTIONS) and node.args:
        match node.args[0]:
            case ast.JoinedStr() | ast.BinOp(op=ast.Mod() | ast.Add()):
                built = True
            case ast.Call(func=ast.Attribute(attr="format" | "join" | "replace")):
                built = True
            case _:
                built = False
        if built:
            return "SQL injection: use `text('… = :name')` and pass the value as a parameter"
    return None


RULES: list[Rule] = [
    commits,
    creates_tables,
    changes_sessions,
    declares_loading,
    wraps_requests,
    reaches_out_of_the_kit,
    reads_without_bound,
    builds_sql_from_values,
]

MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_module_follows_the_rules(module: str) -> None:
    broken = lint_source((SOURCE / module).read_text(), module)
    assert not broken, "\n" + "\n".join(broken)
