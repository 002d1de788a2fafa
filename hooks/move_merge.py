"""Merge three versions of a file, so that moved imports and line endings do not conflict."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hooks.move_code import Definition, Statement, parse

LABELS = ("-L", "before updating", "-L", "last update", "-L", "after updating")
MARKERS = re.compile(r"^(<<<<<<<|>>>>>>>)( |$)", re.MULTILINE)
# The module, the name and the alias of an imported name.
Imported = tuple[str, str, str | None]


@dataclass(frozen=True)
class Text:
    """The text of a file, with LF; and how the file encodes it."""

    text: str
    encoding: str = "utf-8"
    has_crlf: bool = False

    @classmethod
    def of(cls, content: bytes) -> "Text | None":
        """Decode a file; return None for a binary file."""
        if b"\0" in content:
            return None
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
            text = content.decode(encoding)
        except (SyntaxError, ValueError, LookupError):
            return None
        has_crlf = text.count("\r\n") * 2 > text.count("\n")
        return cls(text.replace("\r\n", "\n") if has_crlf else text, encoding, has_crlf)

    def encode(self, text: str) -> bytes:
        """Encode another text like this one."""
        return (text.replace("\n", "\r\n") if self.has_crlf else text).encode(self.encoding)


def has_same_content(path: str, old: bytes, new: bytes) -> bool:
    """Return whether two versions of a file differ at most in format and line endings."""
    texts = [content.decode("utf-8", "replace").replace("\r\n", "\n") for content in (old, new)]
    if texts[0] == texts[1] or not path.endswith(".py"):
        return texts[0] == texts[1]
    first, second = map(parse, texts)
    return bool(first and second and ast.dump(first) == ast.dump(second))


def merge(
    base: str,
    ours: str,
    theirs: str,
    *,
    is_python: bool,
    exists: Callable[[str], bool] = lambda _: True,
) -> tuple[str, bool]:
    """Return the merged text, and whether it has no conflict.

    Imports of modules that do not exist, because the team deleted them, are left out.
    """
    if not is_python:
        return merge_lines(base, ours, theirs)
    base, ours = carry_imports(base, ours, theirs, exists)
    ours, tail = split_tail(base, ours)
    merged, is_clean = merge_lines(base, ours, theirs)
    if not is_clean and (aligned := align(base, ours, theirs)):
        again, is_clean = merge_lines(*aligned, theirs)
        merged = again if is_clean else merged
    return merged + tail, is_clean


def align(base: str, ours: str, theirs: str) -> tuple[str, str] | None:
    """Give both old versions the order of definitions of the new one, which may be of two modules.

    Return None if the team changed anything but definitions and imports that the new version has.
    """
    blocks = [import_block(text) for text in (base, ours, theirs)]
    texts = [block.replaced("") if block else "" for block in blocks]
    before, mine, new = (definitions(text) for text in texts)
    changed = [name for name in mine if before.get(name) != mine[name]]
    if not changed or before.keys() != mine.keys() or not new.keys() >= {*changed}:
        return None
    for name in changed:
        texts[1] = texts[1].replace(mine[name], before[name], 1)
    block, own, given = blocks[1], texts[2], texts[2]
    if texts[0] != texts[1] or block is None or blocks[2] is None:
        return None
    for name in changed:
        given = given.replace(new[name], before[name], 1)
        own = own.replace(new[name], mine[name], 1)
    start = sum(map(len, blocks[2].lines[: blocks[2].first]))
    return (
        given[:start] + blocks[2].text + given[start:],
        own[:start] + block.text + own[start:],
    )


def definitions(text: str) -> dict[str, str]:
    """Return the source of each top-level function and class."""
    tree, lines = parse(text), text.splitlines(keepends=True)
    return {
        node.name: "".join(
            lines[min(each.lineno for each in [node, *node.decorator_list]) - 1 : node.end_lineno]
        )
        for node in (tree.body if tree else [])
        if isinstance(node, Definition)
    }


def split_tail(base: str, ours: str) -> tuple[str, str]:
    """Split off the definitions that the team appended to a module.

    They would conflict with any change of the last definition of the template.
    """
    end = "".join(base.splitlines(keepends=True)[-3:])
    head, found, tail = ours.rpartition(end)
    if not found or not base.endswith("\n") or not tail.strip() or tail.lstrip("\n")[0].isspace():
        return ours, ""
    return head + found, tail


def merge_lines(base: str, ours: str, theirs: str) -> tuple[str, bool]:
    """Merge as Copier does."""
    with TemporaryDirectory() as place:
        files = [Path(place, name) for name in ("ours", "base", "theirs")]
        for file, text in zip(files, (ours, base, theirs), strict=True):
            file.write_bytes(text.encode("utf-8"))
        command = ["git", "merge-file", "-p", *LABELS, *map(str, files)]
        ended = subprocess.run(command, capture_output=True, check=False)
    return ended.stdout.decode("utf-8"), ended.returncode == 0


def carry_imports(
    base: str, ours: str, theirs: str, exists: Callable[[str], bool]
) -> tuple[str, str]:
    """Give both old versions the imports of the new one, and carry the team's changes of them.

    Otherwise an import of the team conflicts with each changed import next to it.
    """
    blocks = [import_block(text) for text in (base, ours, theirs)]
    before, mine, new = blocks
    if before is None or mine is None or new is None:
        return base, ours
    removed = {*before.names} - {*mine.names}
    carried = [name for name in new.names if name not in removed and exists(name[0])]
    carried += [name for name in mine.names if name not in {*before.names, *new.names}]
    text = new.text if carried == new.names else statements_of(carried)
    return before.replaced(new.text), mine.replaced(text)


@dataclass(frozen=True)
class Block:
    """The import statements at the start of a module."""

    lines: list[str]
    first: int
    last: int
    statements: list[Statement]

    @property
    def text(self) -> str:
        """The text of the block."""
        return "".join(self.lines[self.first : self.last])

    @property
    def names(self) -> list[Imported]:
        """The imported names, in order."""
        return [name for statement in self.statements for name in names_in(statement)]

    def replaced(self, text: str) -> str:
        """Return the module with another block."""
        return "".join([*self.lines[: self.first], text, *self.lines[self.last :]])


def statements_of(names: list[Imported]) -> str:
    """Return the lines that import names, one for each module; ruff sorts them."""
    words: dict[str, list[str]] = {}
    for module, name, alias in names:
        head = f"from {module} import " if module else f"import {name}"
        words.setdefault(head, []).append(name + (f" as {alias}" if alias else ""))
    return "".join(
        f"{head if head.startswith('from') else 'import '}{', '.join(each)}\n"
        for head, each in words.items()
    )


def names_in(node: Statement) -> list[Imported]:
    """Return the names that a statement imports."""
    module = "." * node.level + (node.module or "") if isinstance(node, ast.ImportFrom) else ""
    return [(module, each.name, each.asname) for each in node.names]


def import_block(text: str) -> Block | None:
    """Find the first imports of a module; return None if there are comments between them."""
    tree = parse(text)
    if tree is None:
        return None
    statements: list[Statement] = []
    for node in tree.body:
        if isinstance(node, Statement):
            if not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
                statements.append(node)
        elif statements:
            break
    if not statements:
        return None
    lines = text.splitlines(keepends=True) if "\f" not in text else []
    first, last = statements[0].lineno - 1, statements[-1].end_lineno or 0
    block = "".join(lines[first:last])
    return (
        None if not lines or "#" in block or ";" in block else Block(lines, first, last, statements)
    )
