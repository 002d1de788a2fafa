"""Insertions into a module, at the positions of its syntax tree; the rest stays as it is."""

import ast
from collections.abc import Sequence

from app.kit.commands.errors import Refused

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Edits:
    """A module and the insertions to make; `result()` is the new text."""

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self._lines = source.splitlines(keepends=True)
        # By position, counted in characters from 0: the texts to insert.
        self._insertions: list[tuple[int, int, str]] = []
        try:
            self._tree = ast.parse(source)
        except SyntaxError as error:
            raise Refused(f"{path} has a syntax error in line {error.lineno}.") from error

    def restructured(self, what: str) -> Refused:
        """Return the error about a file that is not as the generator wrote it."""
        return Refused(f"{self.path} has been restructured: {what}. Add the field by hand.")

    def class_names(self) -> set[str]:
        """Return the names of the classes of the module."""
        return {each.name for each in self._tree.body if isinstance(each, ast.ClassDef)}

    def names(self) -> set[str]:
        """Return the names that the module assigns."""
        nodes = [each for each in ast.walk(self._tree) if isinstance(each, ast.Name)]
        return {each.id for each in nodes if isinstance(each.ctx, ast.Store)}

    def class_(self, name: str) -> ast.ClassDef:
        """Return a class; raises Refused if there is none."""
        for node in self._tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return node
        raise self.restructured(f"there is no class {name}")

    def function(self, name: str) -> _Function:
        """Return a function; raises Refused if there is none."""
        for node in self._tree.body:
            if isinstance(node, _Function) and node.name == name:
                return node
        raise self.restructured(f"there is no function {name}")

    def fields(self, node: ast.ClassDef) -> list[ast.AnnAssign]:
        """Return the annotated attributes of a class."""
        return [each for each in node.body if isinstance(each, ast.AnnAssign)]

    def tuple_of(self, node: ast.ClassDef, name: str) -> ast.Tuple:
        """Return the tuple that a class assigns to a name; raises Refused if there is none."""
        for each in node.body:
            match each:
                case ast.Assign(targets=[ast.Name(id=found)], value=ast.Tuple() as value):
                    if found == name and value.elts:
                        return value
                case _:
                    pass
        raise self.restructured(f"{node.name} has no tuple {name}")

    def append_field(
        self, node: ast.ClassDef, name: str, line: str, before: Sequence[str] = ()
    ) -> None:
        """Add a field at the end of a class, or before the first of these fields."""
        fields = self.fields(node)
        names = [each.target.id for each in fields if isinstance(each.target, ast.Name)]
        if name in names:
            raise self.restructured(f"{node.name} has a field {name} already")
        if not fields:
            raise self.restructured(f"{node.name} has no fields")
        last = [
            each
            for each in fields
            if isinstance(each.target, ast.Name) and each.target.id in before
        ]
        if last:
            self.before(last[0], line)
        else:
            self.after(fields[-1], line)

    def import_for_types(self, line: str) -> None:
        """Add an import that only type checkers run."""
        imports = [
            each for each in self._tree.body if isinstance(each, ast.Import | ast.ImportFrom)
        ]
        for node in self._tree.body:
            match node:
                case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=[first, *_]):
                    self.before(first, f"    {line}")
                    return
                case _:
                    pass
        if not imports:
            raise self.restructured("it has no imports")
        self.after(imports[-1], f"\nif TYPE_CHECKING:\n    {line}")

    def before(self, node: ast.stmt, text: str) -> None:
        """Insert lines before a statement and its decorators."""
        decorators = getattr(node, "decorator_list", [])
        line = min([node.lineno, *(each.lineno for each in decorators)])
        self._insertions.append((line - 1, 0, f"{text}\n"))

    def after_assignments(self, node: ast.ClassDef, text: str) -> None:
        """Insert lines after the assignment that precedes a class, or before the class."""
        before = self._tree.body[self._tree.body.index(node) - 1]
        if isinstance(before, ast.Assign):
            self.after(before, text)
        else:
            self.before(node, f"{text}\n\n")

    def after(self, node: ast.stmt, text: str) -> None:
        """Insert lines after a statement."""
        self._insertions.append((node.end_lineno or node.lineno, 0, f"{text}\n"))

    def first_item(self, node: ast.Tuple, text: str) -> None:
        """Insert an item at the beginning of a tuple."""
        first = node.elts[0]
        self._insertions.append((first.lineno - 1, self._column(first), f"{text}, "))

    def last_entry(self, node: ast.Dict, text: str) -> None:
        """Insert an entry at the end of a dictionary."""
        if not node.values:
            self._insertions.append((node.lineno - 1, self._column(node) + 1, text))
            return
        last = node.values[-1]
        line = (last.end_lineno or last.lineno) - 1
        column = len(self._lines[line].encode()[: last.end_col_offset].decode())
        self._insertions.append((line, column, f", {text}"))

    def result(self) -> str:
        """Return the text with all insertions; those at one place keep their order."""
        lines = [*self._lines, ""]
        ordered = sorted(self._insertions, key=lambda each: each[:2])
        for line, column, text in ordered[::-1]:
            lines[line] = lines[line][:column] + text + lines[line][column:]
        return "".join(lines)

    def _column(self, node: ast.expr) -> int:
        # Positions in the tree count bytes.
        return len(self._lines[node.lineno - 1].encode()[: node.col_offset].decode())
