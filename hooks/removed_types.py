"""Find the variables whose class lost a method in 0.11.0, by the annotations of a service."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from hooks.move_code import bound_names, module_level, parse
from hooks.move_list import module_of

ETAG = "app.kit.http.etag.EntityTag"
IDEMPOTENT = "app.kit.writes.idempotency.IdempotentRequest"
REPOSITORY = "app.kit.queries.repository.Repository"
ORDER_BY = "app.kit.queries.sorting.order_by"
# The method that each class lost.
METHODS = {ETAG: "show", IDEMPOTENT: "do", REPOSITORY: "change"}
# The type of an object that is certainly of another class. None is unknown.
OTHER = ""
Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = dict[str, str | None]


class Types:
    """The names that the modules of a service define."""

    def __init__(self, trees: dict[str, ast.Module]) -> None:
        """Read the modules, given by path."""
        self.names: dict[str, dict[str, ast.AST | str]] = {}
        for path, tree in trees.items():
            module = module_of(path) or ""
            package = module if path.endswith("/__init__.py") else module.rpartition(".")[0]
            self.names[module] = dict(definitions(tree, package))
        for module in self.names:
            self.expand_stars(module)

    def expand_stars(self, module: str) -> list[str]:
        """Replace star imports by the names that they import; return the names of the module."""
        names = self.names.get(module, {})
        for star in [name for name in names if name.endswith(".*")]:
            # Before the recursion, because modules may import each other.
            names.pop(star, None)
            source = star.removesuffix(".*")
            for name in self.expand_stars(source):
                names.setdefault(name, f"{source}.{name}")
        return list(names)

    def of_module(self, module: str, tree: ast.Module) -> "ModuleTypes":
        """Return the types of the variables in a module."""
        return ModuleTypes(self, module, tree)

    def resolve(self, full: str, seen: frozenset[str] = frozenset()) -> str | None:
        """Return the class of the kit that a name means or inherits, OTHER, or None."""
        if full in METHODS or full == ORDER_BY:
            return full
        module, _, name = full.rpartition(".")
        if full in seen or not module:
            return OTHER
        if (node := self.names.get(module, {}).get(name)) is None:
            return None if name == "Any" else OTHER
        if isinstance(node, str):
            return self.resolve(node, seen | {full})
        if isinstance(node, ast.ClassDef):
            found = (self.annotated(base, module, seen | {full}) for base in node.bases)
            kit = next(filter(None, found), OTHER) or OTHER
            own = {each.name for each in node.body if isinstance(each, Function)}
            return OTHER if METHODS.get(kit) in own else kit
        if isinstance(node, Function):
            # The class of what the function returns.
            return self.annotated(node.returns, module, seen | {full}) if node.returns else None
        return self.annotated(node, module, seen | {full})

    def annotated(
        self, node: ast.AST, module: str, seen: frozenset[str] = frozenset()
    ) -> str | None:
        """Return the class of a type expression."""
        match node:
            case ast.Name() | ast.Attribute():
                return self.resolve(self.full_name(node, module), seen)
            case ast.Constant(value=str(text)):
                tree = parse(text)
                first = tree.body[0] if tree and tree.body else None
                is_type = isinstance(first, ast.Expr)
                return self.annotated(first.value, module, seen) if is_type else OTHER
            case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[first, *_])):
                return self.annotated(first, module, seen)
            case ast.Subscript(value=value):
                return self.annotated(value, module, seen)
            case ast.BinOp(left=left, right=right):
                return self.annotated(left, module, seen) or self.annotated(right, module, seen)
            case ast.Call():
                return None
        return OTHER

    def full_name(self, node: ast.AST, module: str) -> str:
        """Return the full name of `name` or `module.name`."""
        first, _, rest = ast.unparse(node).partition(".")
        target = self.names.get(module, {}).get(first)
        head = target if isinstance(target, str) else f"{module}.{first}"
        return f"{head}.{rest}" if rest else head


def definitions(tree: ast.Module, package: str) -> Iterator[tuple[str, ast.AST | str]]:
    """Yield each name of a module, with its definition, value or name in another module."""
    for node in module_level(tree):
        match node:
            case ast.ImportFrom(module=source, names=names, level=level):
                parts = package.split(".")
                parents = parts[: len(parts) - level + 1] if level else []
                for each in names:
                    full = ".".join([*parents, *filter(None, [source]), each.name])
                    yield full if each.name == "*" else each.asname or each.name, full
            case ast.Import(names=names):
                for each in names:
                    first = each.name.partition(".")[0]
                    yield (each.asname, each.name) if each.asname else (first, first)
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.name, node
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case _ if type(node).__name__ == "TypeAlias":
                yield node.name.id, node.value  # type: ignore[attr-defined]  # a node of Python 3.12


@dataclass
class ModuleTypes:
    """The classes of the variables in a module, by annotations and calls of classes."""

    types: Types
    module: str
    tree: ast.Module
    # The scopes of each attribute and call, from the module to the innermost function.
    scopes: dict[int, list[Scope]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bound = set(bound_names(list(ast.walk(self.tree))))
        self.visit(self.tree, [self.assigned(self.tree, [])])

    def is_bound(self, name: str) -> bool:
        """Return whether the module gives the name another meaning."""
        target = self.types.names[self.module].get(name)
        return name in self.bound and target != f"app.kit.queries.{name}.{name}"

    def is_order_by(self, call: ast.Call) -> bool:
        """Return whether a call is one of `order_by` of the kit."""
        match call.func:
            case ast.Name(id=name) if any(name in scope for scope in self.scopes[id(call)][1:]):
                return False
            case ast.Name() | ast.Attribute(value=ast.Name() | ast.Attribute()) as function:
                full = self.types.full_name(function, self.module)
                return self.types.resolve(full) == ORDER_BY
        return False

    def owner(self, node: ast.Attribute) -> str | None:
        """Return the class of the object of an attribute."""
        return self.type_of(node.value, self.scopes[id(node)])

    def type_of(self, node: ast.AST, scopes: list[Scope]) -> str | None:
        """Return the class of an expression, OTHER, or None if it is unknown."""
        match node:
            case ast.Name() | ast.Attribute(value=ast.Name(id="self")):
                name = ast.unparse(node)
                return next((each[name] for each in reversed(scopes) if name in each), None)
            case ast.Await(value=value):
                return self.type_of(value, scopes)
            case ast.Call(func=ast.Name(id=name)) if any(name in each for each in scopes[1:]):
                return None
            case ast.Call(func=ast.Name() as function):
                return self.types.annotated(function, self.module)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name)) as function):
                # A class or a function of an imported module.
                is_module = isinstance(self.types.names[self.module].get(name), str)
                return self.types.annotated(function, self.module) if is_module else None
            case ast.Constant() | ast.Dict() | ast.List():
                return OTHER
        return None

    def visit(self, node: ast.AST, scopes: list[Scope]) -> None:
        """Note the scopes of each attribute and call."""
        for child in ast.iter_child_nodes(node):
            inner = scopes
            if isinstance(child, ast.Attribute | ast.Call):
                self.scopes[id(child)] = scopes
            if isinstance(child, ast.ClassDef):
                inner = [*scopes, self.members(child, scopes)]
            elif isinstance(child, Function):
                inner = [*scopes, self.assigned(child, scopes)]
            self.visit(child, inner)

    def members(self, node: ast.ClassDef, scopes: list[Scope]) -> Scope:
        """Return the classes of `self` and its attributes."""
        found: Scope = {}
        for each in node.body:
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                kind = self.types.annotated(each.annotation, self.module)
                found[f"self.{each.target.id}"] = kind
            if isinstance(each, Function):
                local = [*scopes, self.assigned(each, scopes)]
                found |= {
                    name: kind for name, kind in local[-1].items() if name.startswith("self.")
                }
        found["self"] = self.types.resolve(f"{self.module}.{node.name}")
        return found

    def assigned(self, node: ast.Module | Function, scopes: list[Scope]) -> Scope:
        """Return the classes of the variables of a function, or of a module."""
        found: Scope = {}
        nodes = list(module_level(node))
        if isinstance(node, Function):
            arguments = node.args
            for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
                if each.annotation or each.arg != "self":
                    kind = each.annotation and self.types.annotated(each.annotation, self.module)
                    found[each.arg] = kind
        for each in nodes:
            for target, value, annotation in assignments(each):
                local = [*scopes, found]
                kind = (
                    self.types.annotated(annotation, self.module)
                    if annotation
                    else self.type_of(value, local)
                    if value
                    else None
                )
                name = ast.unparse(target)
                # Another value makes the class unknown.
                found[name] = kind if found.get(name, kind) == kind else None
        for name in bound_names(nodes) if isinstance(node, Function) else ():
            found.setdefault(name, None)
        return found


def assignments(node: ast.AST) -> Iterator[tuple[ast.AST, ast.expr | None, ast.expr | None]]:
    """Yield each variable that a statement assigns, with its value and its annotation."""
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(
            targets
        ) == len(values):
            yield from (
                (target, value, None) for target, value in zip(targets, values, strict=True)
            )
        case ast.Assign(targets=targets, value=value):
            yield from ((target, value, None) for target in targets)
        case ast.AnnAssign(target=target, annotation=annotation, value=value):
            yield target, value, annotation
