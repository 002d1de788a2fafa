"""Replace what release 0.11.0 removes in the code of a team, and report what is not certain.

`EntityTag.show` becomes `set_header`, `IdempotentRequest.do` becomes `run`, and the first argument
of `order_by` becomes its `tiebreaker`. A call of `Repository.change` becomes a call of
`change_row`, whose module the script writes. No file of the template contains these forms. The
script is idempotent.
"""

import ast
import os
import re
import sys
from pathlib import Path

# Copier runs this file as a script.
sys.path.insert(0, str(Path(__file__).parents[1]))

from hooks.move import MIGRATIONS
from hooks.move_code import Source, Statement, parse
from hooks.move_list import module_of
from hooks.move_merge import MARKERS, Text, merge
from hooks.move_migrations import restore
from hooks.move_style import format_changed
from hooks.removed_types import METHODS, Types
from hooks.repository import files_of, git, mark_merged, mark_unmerged, unmerged_files

KEPT_MODULE = "app.kit.queries.change_row"
KEPT_NAME = "change_row"
# Text of a file that may use a removed form.
USE = re.compile(r"\.(?:show|do|change)\b|\border_by\(")
METHOD = re.compile(r"\.(?:show|do|change)\(")
ADVICE = {
    "show": "replace EntityTag.show with set_header",
    "do": "replace IdempotentRequest.do with run",
    "change": "replace Repository.change with View.update, or get and update",
    "order_by": "pass the first argument of order_by as tiebreaker=…",
}


def replace_removed(service: Path) -> list[str]:
    """Replace the removed forms in the code of a service; return what is left to do."""
    changed: dict[str, bytes] = {}
    said = replace_in_files(service, changed)
    if not changed:
        return said
    said = restore(service, [KEPT_MODULE]) + format_changed(service, changed)
    # Again, because the changes have moved lines.
    return said + replace_in_files(service, {})


def replace_in_files(service: Path, changed: dict[str, bytes]) -> list[str]:
    """Write the changed files, and note their content before; return what is not certain."""
    said: list[str] = []
    texts: dict[str, Text] = {}
    for path in files_of(service):
        is_python = path.endswith(".py") and not path.startswith(MIGRATIONS)
        if is_python and (text := Text.of((service / path).read_bytes())):
            texts[path] = text
    trees = {path: parse(text.text) for path, text in texts.items()}
    conflicts = {path: versions_of(service, path) for path in unmerged_files(service)}
    # A file with conflicts has the types of the team's version.
    trees |= {path: parse(ours.text) for path, (_, ours, _) in conflicts.items() if path in texts}
    types = Types({path: tree for path, tree in trees.items() if tree})
    for path, text in texts.items():
        if not USE.search(text.text):
            continue
        tree = trees[path]
        if MARKERS.search(text.text) or tree is None:
            if path in conflicts and merge_again(service, path, conflicts[path], types):
                changed[path] = conflicts[path][1].encode(conflicts[path][1].text)
            elif METHOD.search(text.text):
                why = "has conflicts" if MARKERS.search(text.text) else "cannot be parsed"
                said.append(f"{path}: {why}. Replace what CHANGELOG.md lists for 0.11.0 by hand.")
            continue
        replacing = _Replacing(text.text, tree, types, module_of(path) or "")
        new = replacing.result()
        said += [f"{path}:{sentence}" for sentence in replacing.said]
        if new != text.text:
            changed[path] = (service / path).read_bytes()
            (service / path).write_bytes(text.encode(new))
    return said


def versions_of(service: Path, path: str) -> list[Text]:
    """Return the versions of a file with conflicts: base, ours, theirs."""
    versions = [git(service, "show", f":{stage}:./{path}") for stage in (1, 2, 3)]
    return [Text.of(version or b"") or Text("") for version in versions]


def merge_again(service: Path, path: str, versions: list[Text], types: Types) -> bool:
    """Merge a file again, with the removed forms replaced in both old versions, if it has any."""
    texts = [version.text for version in versions]
    for place, text in enumerate(texts[:2]):
        if tree := parse(text):
            texts[place] = _Replacing(text, tree, types, module_of(path) or "").result()
    ours = versions[1]
    if texts[:2] == [versions[0].text, ours.text]:
        return False
    merged, is_clean = merge(*texts, is_python=True)
    (service / path).write_bytes(ours.encode(merged))
    if is_clean:
        mark_merged(service, path)
    else:
        mark_unmerged(service, path, *map(ours.encode, texts))
    return True


class _Replacing(Source):
    """Replaces text at the positions of syntax nodes, and changes the nodes likewise.

    If the new text does not have the changed syntax tree, it reports the places instead.
    """

    def __init__(self, text: str, tree: ast.Module, types: Types, module: str) -> None:
        super().__init__(text)
        self.tree, self.types = tree, types.of_module(module, tree)
        self.places: list[tuple[int, str]] = []
        self.said: list[str] = []
        self.needs_import = False
        # `change_row` imports the kit, so the kit cannot import it.
        self.is_kit = module.startswith("app.kit.")

    def result(self) -> str:
        calls = {id(node.func): node for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        awaited = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Await)}
        # Before the first change of the tree, because the types depend on it.
        orders = [node for node in calls.values() if self.types.is_order_by(node)]
        methods = [
            (node, self.types.owner(node))
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Attribute) and node.attr in METHODS.values()
        ]
        for call in orders:
            self.replace_order(call)
        for node, owner in methods:
            call = calls.get(id(node))
            if owner is None and call and is_like_removed(node.attr, call, id(call) in awaited):
                self.report(node, node.attr, "if this calls the kit, ")
            elif owner and METHODS[owner] == node.attr:
                self.replace_method(node, call)
        if self.needs_import:
            self.add_import()
        result = self.edited()
        changed = parse(result)
        if changed is None or ast.dump(changed) != ast.dump(self.tree):
            self.said += [f"{line}: {ADVICE[name]}." for line, name in self.places]
            return self.source.decode()
        return result

    def report(self, node: ast.expr, name: str, condition: str = "") -> None:
        self.said.append(f"{node.lineno}: {condition}{ADVICE[name]}.")

    def replace_order(self, call: ast.Call) -> None:
        """Move the first argument to `tiebreaker`."""
        if not call.args or any(each.arg == "tiebreaker" for each in call.keywords):
            return
        key, *terms = call.args
        start, end = self.span(key)
        head = self.source[self.span(call.func)[1] : start]
        tail = self.source[self.span(call.args[-1])[1] : self.span(call)[1]]
        # An argument in parentheses is not worth the code.
        is_plain = head.strip() == b"(" and tail.count(b")") == 1
        if isinstance(key, ast.Starred) or call.keywords or not is_plain:
            self.report(call, "order_by")
            return
        if terms:
            text = self.source[start:end]
            following, last = self.span(terms[0])[0], self.span(terms[-1])[1]
            # A comment after the key stays.
            gap = self.source[end:following]
            stop = end + gap.index(b",") + 1 if b"#" in gap else following
            self.edits |= {(start, stop): b"", (last, last): b", tiebreaker=" + text}
        else:
            self.edits[start, start] = b"tiebreaker="
        self.places.append((call.lineno, "order_by"))
        call.args, call.keywords = terms, [ast.keyword("tiebreaker", key)]

    def replace_method(self, node: ast.Attribute, call: ast.Call | None) -> None:
        """Rename a method, or call `change_row` with the repository as first argument."""
        owner_end, end = self.span(node.value)[1], self.span(node)[1]
        if node.attr != "change":
            self.places.append((node.lineno, node.attr))
            new = {"show": "set_header", "do": "run"}[node.attr]
            self.edits[end - len(node.attr), end] = new.encode()
            node.attr = new
            return
        is_plain = self.source[owner_end:end].strip() == b".change"
        if call is None or self.is_kit or self.types.is_bound(KEPT_NAME) or not is_plain:
            self.report(node, node.attr)
            return
        self.places.append((node.lineno, node.attr))
        start, opening = self.span(node.value)[0], self.source.index(b"(", end) + 1
        comma = b"," if self.source[opening : opening + 1].isspace() else b", "
        self.edits |= {(start, start): f"{KEPT_NAME}(".encode(), (owner_end, opening): comma}
        call.func = ast.Name(KEPT_NAME, ast.Load())
        call.args.insert(0, node.value)
        self.needs_import = True

    def add_import(self) -> None:
        """Add the import of `change_row` after the last import of the module."""
        body = self.tree.body
        last = max(index for index, node in enumerate(body) if isinstance(node, Statement))
        end = self.span(body[last])[1]
        statement = f"from {KEPT_MODULE} import {KEPT_NAME}"
        self.edits[end, end] = f"{self.newline}{statement}".encode()
        body[last + 1 : last + 1] = ast.parse(statement).body


def is_like_removed(name: str, call: ast.Call, is_awaited: bool) -> bool:
    """Return whether a call of a method of an unknown object looks like a removed method."""
    count = len(call.args) + len(call.keywords)
    return {
        "show": count == 1 and not is_awaited,
        "do": count == 1 and is_awaited,
        "change": count >= 2 and is_awaited,
    }[name]


if __name__ == "__main__":
    # Before the update, only import the modules: a Python that is too old fails while nothing has
    # changed.
    if os.environ.get("STAGE") != "before":
        for sentence in replace_removed(Path.cwd()):
            sys.stdout.write(f"{sentence}\n")
