"""Keep modules that release 0.7.0 removes from the kit, if the code of a team imports them.

Copier has removed the modules. This script restores each module that a file of the service imports;
from then on, the module belongs to the team. It also rewrites imports of names that moved to other
packages. No file of the template has such imports. The script is idempotent.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

KIT = "src/app/kit/db"
# Removed modules, and their replacements.
REMOVED = {
    "hot": "View of app.kit.queries.view",
    "hot_writes": "View.insert of app.kit.queries.view",
    "projection": "View of app.kit.queries.view",
    "compiled": "View of app.kit.queries.view",
}
# Removed names, and their replacements.
MOVED = {
    "app.kit.routing.FeatureRouter": "fastapi.APIRouter",
    "app.kit.local_postgres.throwaway": "local_postgres.ephemeral",
    "app.kit.local_postgres.development": "local_postgres.development",
    "app.kit.local_postgres.PostgresUnavailable": "local_postgres.PostgresUnavailable",
}
# Only modules of 0.6 contain this text; those of earlier releases access the database differently.
MARK = "it goes in 0.7.0"
# Lines of the removed modules that use parts of the kit which changed, and their replacements.
REPAIRS = {
    "hot": {
        '        names = [str(item["name"]) for item in described]\n': "",
        "prepare(self.statement, dialect, names=names)": "prepare(self.statement, dialect)",
    },
    "hot_writes": {
        "dialect, names=list(self.returned))": "dialect)",
    },
    # Since 0.8.0, the kit reads JSON as text.
    "projection": {
        "import ColumnElement, Select, select\n": (
            "import JSON, ColumnElement, Select, cast, select\n"
        ),
        "        return select(_Shown(self.schema, columns_of(self.schema, self.model)))\n": """\
        related = self.model.__mapper__.relationships
        columns: list[Any] = columns_of(self.schema, self.model)
        shown = [
            cast(column.element, JSON).label(column.name) if column.name in related else column
            for column in columns
        ]
        return select(_Shown(self.schema, shown))
""",
    },
}
# Preserves the bytes of files that are not UTF-8.
ERRORS = "surrogateescape"


def keep_removed(service: Path) -> list[str]:
    """Keep the removed modules that the service imports; return one sentence per change."""
    said: list[str] = []
    for file in files_of(service):
        text = read(file)
        if (changed := redirect_imports(text)) != text:
            file.write_text(changed, encoding="utf-8", errors=ERRORS, newline="")
            said.append(f"{file.relative_to(service)}: rewrote imports of removed names.")
    # A restored module may import another removed module.
    while missing := sorted(
        each for each in imported(service) if not path_of(service, each).exists()
    ):
        for name in missing:
            path_of(service, name).write_text(source_of(service, name), encoding="utf-8")
            said.append(
                f"{KIT}/{name}.py: kept, because your code imports it. It is yours now;"
                f" replace it with {REMOVED[name]}."
            )
    return said


def repair(service: Path) -> None:
    """Adapt kept modules to the kit."""
    for name, lines in REPAIRS.items():
        file = path_of(service, name)
        text = read(file) if file.exists() else ""
        if text and all(text.count(line) == 1 for line in lines):
            for old, new in lines.items():
                text = text.replace(old, new)
            file.write_text(text, encoding="utf-8", errors=ERRORS, newline="")


def files_of(service: Path) -> list[Path]:
    """Return the Python files of the service, including new ones."""
    listed = git(service, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py")
    paths = {service / name for name in (listed or "").split("\0") if name}
    return sorted(path for path in paths if path.is_file())


def imported(service: Path) -> set[str]:
    """Return the removed modules that files of the service import."""
    return {name for file in files_of(service) for name in REMOVED if imports(file, name)}


def imports(file: Path, name: str) -> bool:
    """Return whether a file imports this module of `app.kit.db`."""
    form = (
        r"(from|import)\s+[\w.]*\bdb\.{0}\b|from\s+[\w.]*\bdb\s+import\s*(\([^)]*|[^\n(]*)\b{0}\b"
    )
    if file.parent.as_posix().endswith(KIT):
        form += r"|from\s+\.{0}\b"
    return bool(re.search(form.format(name), read(file)))


def redirect_imports(text: str) -> str:
    """Rewrite the imports of moved names in the text of a module."""
    if not any(name.rpartition(".")[0] in text for name in MOVED):
        return text
    try:
        tree = ast.parse(text)
    except SyntaxError:  # a conflict, which is reported by the update itself
        return text
    lines = text.splitlines(keepends=True)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    for node in sorted(found, key=lambda each: each.lineno, reverse=True):
        names = [(f"{node.module}.{each.name}", each.asname or each.name) for each in node.names]
        if node.level or not any(name in MOVED for name, _ in names):
            continue
        indent = " " * node.col_offset
        lines[node.lineno - 1 : node.end_lineno] = [
            f"{indent}{statement(MOVED.get(name, name), alias)}\n" for name, alias in names
        ]
    return "".join(lines)


def statement(name: str, alias: str) -> str:
    """Return the statement that imports a name under an alias."""
    module, _, own = name.rpartition(".")
    return f"from {module} import {own}" + (f" as {alias}" if alias != own else "")


def read(file: Path) -> str:
    """Return the text of a file, with its line endings."""
    return file.read_bytes().decode("utf-8", ERRORS)


def path_of(service: Path, name: str) -> Path:
    """Return the former path of a removed module."""
    return service / KIT / f"{name}.py"


def source_of(service: Path, name: str) -> str:
    """Return the committed module or, for a release before 0.6, the module of the newest 0.6."""
    committed = git(service, "show", f"HEAD:./{KIT}/{name}.py")
    if committed and MARK in committed:
        return committed
    template = Path(__file__).parents[1]
    tags = (git(template, "tag", "--list", "v0.6.*", "--sort=-version:refname") or "").split()
    of_tags = (git(template, "show", f"{tag}:template/{KIT}/{name}.py") for tag in tags)
    return next(filter(None, of_tags), committed) or ""


def git(directory: Path, *arguments: str) -> str | None:
    """Run Git; return its output, or None if the command fails."""
    command = ["git", "-C", str(directory), *arguments]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    return ended.stdout if ended.returncode == 0 else None


if __name__ == "__main__":
    for sentence in keep_removed(Path.cwd()):
        sys.stdout.write(f"{sentence}\n")
