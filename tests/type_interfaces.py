"""Find the modules of several services for which a type checker can give different results.

The result for a module depends on its text and on the interfaces of the modules that it imports.
Most modules are the same in services with different answers, and need one check.
"""

import ast
from functools import cache
from hashlib import sha256
from pathlib import Path

# Where a service imports its modules from.
SOURCE_FOLDERS = ["src", "devtools", "."]


class Modules:
    """The modules of a service."""

    def __init__(self, service: Path) -> None:
        self._service = service
        self._places: dict[str, list[str]] = {}
        for folder in SOURCE_FOLDERS:
            for path in sorted((service / folder).rglob("*.py")):
                module = path.relative_to(service / folder).with_suffix("")
                name = ".".join(module.parts).removesuffix(".__init__")
                self._places.setdefault(name, []).append(path.relative_to(service).as_posix())
        self._interfaces: dict[str, tuple[str, list[str]]] = {}

    def fingerprint(self, name: str) -> tuple[str, str, frozenset[str]]:
        """Return everything that determines the type checker's result for a file."""
        text = (self._service / name).read_text()
        found: dict[str, str] = {}
        pending = self._files(imports_of(text))
        while pending:
            file = pending.pop()
            if file not in found:
                found[file], needed = self._interface(file)
                pending += needed
        return name, text, frozenset(f"{file}: {digest}" for file, digest in found.items())

    def _interface(self, file: str) -> tuple[str, list[str]]:
        if file not in self._interfaces:
            text, imported = interface((self._service / file).read_text())
            self._interfaces[file] = sha256(text.encode()).hexdigest(), self._files(imported)
        return self._interfaces[file]

    def _files(self, modules: frozenset[str]) -> list[str]:
        return [file for module in modules for file in self._places.get(module, ())]


@cache
def imports_of(text: str) -> frozenset[str]:
    """Return the names of the modules that a module imports, also those in its functions."""
    return _imported(ast.parse(text))


@cache
def interface(text: str) -> tuple[str, frozenset[str]]:
    """Return the part of a module that other modules depend on, and the modules that it needs."""
    tree = _Interface().visit(ast.parse(text))
    used = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)}
    # Names in `__all__` and in quoted annotations.
    used |= {str(each.value) for each in ast.walk(tree) if isinstance(each, ast.Constant)}
    tree = _UsedImports(used).visit(tree)
    return ast.dump(tree), _imported(tree)


def _imported(tree: ast.AST) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {each.name for each in names}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found |= {module} | {f"{module}.{each.name}" for each in names}
            case ast.ImportFrom():
                raise NotImplementedError("relative imports")
    return frozenset(found)


class _Interface(ast.NodeTransformer):
    """Removes what has no influence on the types of the names that a module defines."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._declaration(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._declaration(node)

    def _declaration(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        # A body can define attributes, and `yield` changes the type of an async function.
        needed = any(
            isinstance(each, ast.Yield | ast.YieldFrom)
            or (isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store))
            for each in ast.walk(node)
        )
        if node.returns and not needed:
            node.body = []
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if isinstance(node.value, ast.Constant) and "Final" not in ast.unparse(node.annotation):
            node.value = ast.Constant(...)
        self.generic_visit(node)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[type_, *_])):
                return type_
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Name(id="partial"), keywords=keywords):
                # The values of preset arguments, such as a loading strategy.
                for each in keywords:
                    each.value = ast.Constant(...)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)


class _UsedImports(ast.NodeTransformer):
    """Removes unused imports: mypy forbids other modules to import their names from here."""

    def __init__(self, used: set[str]) -> None:
        self._used = used

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return self._remaining(node)

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return self._remaining(node)

    def _remaining(self, node: ast.Import | ast.ImportFrom) -> ast.AST | None:
        node.names = [
            each
            for each in node.names
            if (each.asname or each.name.partition(".")[0]) in self._used
            or each.asname == each.name
        ]
        return node if node.names else None

    def visit_If(self, node: ast.If) -> ast.AST | None:
        self.generic_visit(node)
        return node if node.body or node.orelse else None
