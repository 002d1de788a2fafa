"""Rewrite imports and uses of moved modules and renamed names in Python code.

The positions of syntax nodes give the text to replace, so everything else keeps its format.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from typing import cast

from hooks.move_list import Moves

Statement = ast.Import | ast.ImportFrom
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def parse(text: str) -> ast.Module | None:
    """Parse code; return None for code that this Python cannot parse."""
    try:
        # Python counts a lone carriage return as a line, and the positions would be wrong.
        return None if re.search(r"\r(?!\n)", text) else ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, UnicodeError):
        return None


def rewrite(text: str, module: str, moves: Moves, *, is_package: bool = False) -> str:
    """Rewrite a module to the new layout; return code that cannot be parsed unchanged.

    Also renames the definitions of a module whose own names are in the list.
    """
    tree = parse(text)
    if tree is None:
        return text
    package = module if is_package else module.rpartition(".")[0]
    return moves.rewrite_text(_Rewriting(text, tree, module, package, moves).result())


class Source:
    """The code of a module, and edits at the positions of its syntax nodes, in bytes."""

    def __init__(self, text: str) -> None:
        self.source = text.encode("utf-8")
        self.newline = "\r\n" if b"\r\n" in self.source else "\n"
        self.edits: dict[tuple[int, int], bytes] = {}
        self.starts = [0]
        for line in self.source.split(b"\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Return the positions of a node in the source."""
        # The nodes that are passed have the four positions of an expression.
        located = cast("ast.expr", node)
        return (
            self.starts[located.lineno - 1] + located.col_offset,
            self.starts[cast("int", located.end_lineno) - 1] + cast("int", located.end_col_offset),
        )

    def edited(self) -> str:
        """Return the edited code. An edit replaces the edits that it contains."""
        result, last = b"", 0
        order = sorted(self.edits, key=lambda span: (span[0], span[0] != span[1], -span[1]))
        for start, end in order:
            if start >= last:
                result += self.source[last:start] + self.edits[start, end]
                last = end
        return (result + self.source[last:]).decode("utf-8")


class _Rewriting(Source):
    def __init__(
        self, text: str, tree: ast.Module, module: str, package: str, moves: Moves
    ) -> None:
        super().__init__(text)
        self.tree, self.module, self.package, self.moves = tree, module, package, moves
        self.nodes = list(ast.walk(tree))
        self.bound = Counter(bound_names(self.nodes))
        self.top_level = Counter(bound_names(module_level(tree)))
        self.used = {node.id for node in self.nodes if isinstance(node, ast.Name)}
        # New names of names that this module binds.
        self.renamed: dict[str, str] = {}
        # The old module of each name that is bound to a module.
        self.aliases: dict[str, str] = {}
        # The old name of each imported class of which a member is renamed.
        self.classes: dict[str, str] = {}
        self.imported: set[str] = set()
        self.added: set[str] = set()

    def result(self) -> str:
        self.rename_own_names()
        imports = [node for node in self.nodes if isinstance(node, Statement)]
        for statement in imports:
            if isinstance(statement, ast.ImportFrom):
                self.rewrite_from(statement)
            else:
                self.follow_import(statement)
        for node in self.nodes:
            self.rewrite_use(node)
        self.add_imports(imports)
        return self.edited()

    # ------------------------------------------------------------------ names
    def rename_own_names(self) -> None:
        """Rename the definitions of this module, unless a name also means something else."""
        for full, new in self.moves.names.items():
            parent, _, old = full.rpartition(".")
            target, _, name = new.rpartition(".")
            here = {self.moves.module(self.module), self.module}
            if parent != self.module or target not in here or old == name:
                continue
            if self.bound[old]:
                safe = self.bound[old] == self.top_level[old] and not self.is_taken(name)
            else:
                safe = old in self.used and self.bound[name] > 0
            if safe:
                self.renamed[old] = name

    def is_taken(self, name: str) -> bool:
        return self.bound[name] > 0 or name in self.used

    def bind(self, old: str, new: str, times: int) -> str | None:
        """Return the alias that an import needs, or None if every use can be renamed."""
        if old == new or self.renamed.get(old) == new:
            return None
        if self.bound[old] != times or self.is_taken(new) or new in self.renamed.values():
            return old
        self.renamed[old] = new
        return None

    # ------------------------------------------------------------------ imports
    def absolute(self, node: ast.ImportFrom) -> str:
        """Return the absolute name of the module of an import."""
        if not node.level:
            return node.module or ""
        parts = self.package.split(".")
        parents = parts[: len(parts) - node.level + 1]
        return ".".join([*parents, node.module] if node.module else parents)

    def times_imported(self, full: str, bound: str) -> int:
        return sum(
            f"{self.absolute(node)}.{each.name}" == full and (each.asname or each.name) == bound
            for node in self.nodes
            if isinstance(node, ast.ImportFrom)
            for each in node.names
        )

    def rewrite_from(self, node: ast.ImportFrom) -> None:
        old_module = self.absolute(node)
        found: list[tuple[str, str]] = []
        changed = False
        for each in node.names:
            full = f"{old_module}.{each.name}"
            module, name = self.moves.imported(old_module, each.name)
            bound = each.asname or each.name
            if full in self.moves.old_modules:
                self.aliases[bound] = full
            if full in self.moves.members:
                self.classes[bound] = full
            alias = each.asname
            if self.moves.modules.get(full) in self.moves.names:
                # `from app.kit.errors import problems` would mean the old name.
                changed = True
                found.append(("", f"{self.moves.modules[full]} as {bound}"))
                continue
            if alias is None and each.name != "*":
                alias = self.bind(bound, name, self.times_imported(full, bound))
            changed = changed or (module, name) != (old_module, each.name)
            found.append((module, name + (f" as {alias}" if alias else "")))
            self.imported.add("from {} import {}".format(*found[-1]))
        # A moved file has a new package, so its relative imports become absolute.
        if changed or (node.level and self.moves.module(self.module) != self.module):
            self.replace_from(node, found)

    def replace_from(self, node: ast.ImportFrom, found: list[tuple[str, str]]) -> None:
        """Replace single words if all names stay together, and otherwise the whole statement."""
        start, end = self.span(node)
        head = re.match(rb"from\s*[.\w\s]+?\s*\bimport\b", self.source[start:end])
        modules = list(dict.fromkeys(module for module, _ in found))
        if head and len(modules) == 1 and modules[0]:
            self.edits[start, start + head.end()] = f"from {modules[0]} import".encode()
            for each, (_, name) in zip(node.names, found, strict=True):
                self.edits[self.span(each)] = name.encode()
            return
        indent = self.source[self.starts[node.lineno - 1] : start].decode()
        separator = f"{self.newline}{indent}" if not indent.strip() else "; "
        statements = []
        for module in modules:
            names = sorted(name for of, name in found if of == module)
            line = f"from {module} import {', '.join(names)}" if module else f"import {names[0]}"
            statements.append(line)
        comments = re.findall(rb"#[^\r\n]*", self.source[start:end])
        if comments:
            statements[-1] += "  " + "  ".join(each.decode() for each in comments)
        self.edits[start, end] = separator.join(statements).encode()

    def follow_import(self, node: ast.Import) -> None:
        """Note the modules that an import binds; `rewrite_text` rewrites the statement."""
        for each in node.names:
            if each.name in self.moves.old_modules:
                self.aliases[each.asname or each.name] = each.name

    def add_imports(self, imports: list[Statement]) -> None:
        """Add the imports of names that left the module through which the code used them."""
        if not self.added:
            return
        last = max(
            (node for node in imports if node in self.tree.body), key=lambda each: each.lineno
        )
        end = self.span(last)[1]
        lines = "".join(f"{self.newline}{line}" for line in sorted(self.added))
        self.edits[end, end] = lines.encode()

    # ------------------------------------------------------------------ uses
    def rewrite_use(self, node: ast.AST) -> None:
        match node:
            case ast.Name(id=old) if old in self.renamed:
                self.edits[self.span(node)] = self.renamed[old].encode()
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names = self.renamed if node.name in self.renamed else self.moves.attributes
                if new := names.get(node.name):
                    self.rename_definition(node, new)
            case ast.Attribute(attr=name) if name in self.moves.attributes:
                self.rename_attribute(node, self.moves.attributes[name])
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in self.classes:
                members = self.moves.members[self.classes[owner]]
                self.rename_attribute(node, members.get(name, name))
            case ast.Attribute(value=ast.Name() | ast.Attribute() as owner, attr=name):
                if self.aliases and (module := self.aliases.get(ast.unparse(owner))):
                    self.rewrite_attribute(node, module, name)
            case ast.Call(args=[ast.Name(id=alias), ast.Constant(value=str(name)), *_]):
                # monkeypatch.setattr(module, "name", …)
                if new := self.moves.names.get(f"{self.aliases.get(alias)}.{name}"):
                    self.edit_string(node.args[1], {name: new.rpartition(".")[2]})
            case ast.Assign(targets=[ast.Name(id="__all__")], value=names):
                self.rename_in_strings(names)
        for annotation in annotations(node):
            self.rename_in_strings(annotation)

    def rename_definition(self, node: Definition, new: str) -> None:
        start, end = self.span(node)
        head = re.match(rb"(?:async\s+)?(?:def|class)\s+", self.source[start:end])
        if head:
            place = start + head.end()
            self.edits[place, place + len(node.name.encode())] = new.encode()

    def rewrite_attribute(self, node: ast.Attribute, module: str, name: str) -> None:
        """Rewrite `module.name`, also if the name is now in another module."""
        new = self.moves.names.get(f"{module}.{name}")
        if new is None:
            return
        start, end = self.span(node)
        target, _, last = new.rpartition(".")
        if target == self.moves.module(module):
            self.rename_attribute(node, last)
        else:
            statement = f"from {target} import {last}"
            if statement not in self.imported:
                if self.is_taken(last):
                    last, statement = f"{last}_", f"from {target} import {last} as {last}_"
                self.added.add(statement)
            self.edits[start, end] = last.encode()

    def rename_attribute(self, node: ast.Attribute, new: str) -> None:
        end = self.span(node)[1]
        self.edits[end - len(node.attr.encode()), end] = new.encode()

    def rename_in_strings(self, node: ast.AST) -> None:
        for each in ast.walk(node):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                self.edit_string(each, self.renamed)

    def edit_string(self, node: ast.AST, names: dict[str, str]) -> None:
        start, end = self.span(node)
        old = self.source[start:end].decode()
        new = re.sub(r"(?<![\w.])[^\W\d]\w*", lambda found: names.get(found[0], found[0]), old)
        if new != old:
            self.edits[start, end] = new.encode()


def annotations(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the annotations and other types of a node, which may be strings."""
    match node:
        case ast.FunctionDef(returns=ast.AST() as returns):
            yield returns
        case ast.AsyncFunctionDef(returns=ast.AST() as returns):
            yield returns
        case ast.arg(annotation=ast.AST() as annotation):
            yield annotation
        case ast.AnnAssign(annotation=annotation):
            yield annotation
        case ast.Call(func=ast.Name(id="cast"), args=[first, *_]):
            yield first


def module_level(tree: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a module or a function outside of inner functions and classes."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Definition | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def bound_names(nodes: Iterator[ast.AST] | list[ast.AST]) -> Iterator[str]:
    """Yield each name that a node binds."""
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.alias(name=name, asname=alias):
                yield alias or name.partition(".")[0]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                yield from names
