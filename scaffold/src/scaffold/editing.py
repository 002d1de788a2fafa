"""Edits of a module at positions of its syntax tree; other lines stay unchanged."""

import ast
from collections.abc import Sequence

from app.kit.cli.errors import CommandFailed

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Edits:
    """The pending edits of a module; `result()` applies them."""

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self._source = source
        # Start offset, end offset, new text.
        self._changes: list[tuple[int, int, str]] = []
        self._lines = [line.encode() for line in source.splitlines(keepends=True)]
        try:
            self.tree = ast.parse(source)
        except SyntaxError as error:
            raise CommandFailed(f"{path} has a syntax error in line {error.lineno}.") from error

    def restructured_error(self, what: str) -> CommandFailed:
        """Return the error for a module without the structure that the generator writes."""
        return CommandFailed(f"{self.path} has been restructured: {what}. Add the field by hand.")

    def find_class(self, name: str) -> ast.ClassDef | None:
        """Return a class, or None."""
        nodes = (each for each in self.tree.body if isinstance(each, ast.ClassDef))
        return next((each for each in nodes if each.name == name), None)

    def get_class(self, name: str) -> ast.ClassDef:
        """Return a class; raise CommandFailed if there is none."""
        if found := self.find_class(name):
            return found
        raise self.restructured_error(f"there is no class {name}")

    def find_function(self, name: str) -> Function | None:
        """Return a function, or None."""
        nodes = (each for each in self.tree.body if isinstance(each, Function))
        return next((each for each in nodes if each.name == name), None)

    def get_function(self, name: str) -> Function:
        """Return a function; raise CommandFailed if there is none."""
        if found := self.find_function(name):
            return found
        raise self.restructured_error(f"there is no function {name}")

    def fields(self, node: ast.ClassDef) -> dict[str, ast.AnnAssign]:
        """Return the annotated attributes of a class by name."""
        return {
            each.target.id: each
            for each in node.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        }

    def find_assignment(self, body: Sequence[ast.stmt], name: str) -> ast.expr | None:
        """Return the value that a statement of the body assigns to a name, or None."""
        for each in body:
            match each:
                case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                    return value
                case _:
                    pass
        return None

    def append_field(
        self, node: ast.ClassDef, name: str, line: str, before: Sequence[str] = ()
    ) -> None:
        """Add a field at the end of a class, or before the first of the fields in `before`."""
        fields = self.fields(node)
        if name in fields:
            raise self.restructured_error(f"{node.name} has a field {name} already")
        following = [fields[each] for each in fields if each in before]
        if following:
            self.insert_before(following[0], line)
        elif fields:
            self.insert_after([*fields.values()][-1], line)
        else:
            # A class that has only a docstring.
            self.insert_after(node.body[-1], f"\n{line}")

    def add_type_checking_import(self, line: str) -> None:
        """Add an import under `if TYPE_CHECKING:`."""
        imports = [each for each in self.tree.body if isinstance(each, ast.Import | ast.ImportFrom)]
        for node in self.tree.body:
            match node:
                case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=[first, *_]):
                    self.insert_before(first, f"    {line}")
                    return
                case _:
                    pass
        if not imports:
            raise self.restructured_error("it has no imports")
        self.insert_after(imports[-1], f"\nif TYPE_CHECKING:\n    {line}")

    def insert_before(self, node: ast.stmt, text: str) -> None:
        """Insert lines before a statement and its decorators."""
        decorators = getattr(node, "decorator_list", [])
        line = min([node.lineno, *(each.lineno for each in decorators)])
        self._insert(self._offset(line, 0), f"{text}\n")

    def insert_after_assignments(self, node: ast.ClassDef, text: str) -> None:
        """Insert lines before a class, in the same block as an assignment above it."""
        previous = self.tree.body[self.tree.body.index(node) - 1]
        if isinstance(previous, ast.Assign):
            self.insert_after(previous, text)
        else:
            self.insert_before(node, f"{text}\n\n")

    def insert_after(self, node: ast.stmt, text: str) -> None:
        """Insert lines after a statement."""
        self._insert(self._offset((node.end_lineno or node.lineno) + 1, 0), f"{text}\n")

    def append(self, text: str) -> None:
        """Add lines at the end of the module."""
        self._insert(len(self._source), f"\n\n{text}")

    def prepend_item(self, node: ast.Tuple, text: str) -> None:
        """Insert an item at the beginning of a tuple."""
        self._insert(self._start(node.elts[0]), f"{text}, ")

    def append_item(self, nodes: Sequence[ast.AST], text: str) -> None:
        """Insert an item after the last of these items of a collection or a call."""
        self._insert(self._end(nodes[-1]), f", {text}")

    def append_arguments(self, call: ast.Call, text: str) -> None:
        """Add arguments to a call."""
        if arguments := [*call.args, *(each.value for each in call.keywords)]:
            self.append_item(arguments, text)
        else:
            self.replace(call, f"{self.source_of(call.func)}({text})")

    def replace(self, node: ast.AST, text: str) -> None:
        """Replace an expression or a statement."""
        self._changes.append((self._start(node), self._end(node), text))

    def source_of(self, node: ast.AST) -> str:
        """Return the text of an expression or a statement."""
        return self._source[self._start(node) : self._end(node)]

    def result(self) -> str:
        """Return the edited text; insertions at the same offset keep their order."""
        text = self._source
        for start, end, new in sorted(self._changes, key=lambda each: each[:2])[::-1]:
            text = text[:start] + new + text[end:]
        return text

    def _insert(self, offset: int, text: str) -> None:
        self._changes.append((offset, offset, text))

    def _start(self, node: ast.AST) -> int:
        return self._offset(getattr(node, "lineno", 0), getattr(node, "col_offset", 0))

    def _end(self, node: ast.AST) -> int:
        return self._offset(getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0))

    def _offset(self, line: int, column: int) -> int:
        """Convert a line and a column in bytes, as in the tree, to an offset in characters."""
        before = b"".join(self._lines[: line - 1])
        rest = self._lines[line - 1][:column] if column else b""
        return len((before + rest).decode())
