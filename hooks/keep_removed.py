"""Keep what release 0.7.0 removes from the kit for the code of a team that imports it.

Copier has removed the modules. Each module that a file of the service imports is written again, as
it was committed, and is the team's from then on. Imports of names that other packages have are
rewritten. No file of the template imports either, so a file that does is the team's. Running it
again changes nothing.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

KIT = "src/app/kit/db"
# What to use in place of each removed module.
REMOVED = {
    "hot": "View of app.kit.queries.view",
    "hot_writes": "View.insert of app.kit.queries.view",
    "projection": "View of app.kit.queries.view",
    "compiled": "View of app.kit.queries.view",
}
# The name that is imported in place of a removed one.
MOVED = {
    "app.kit.routing.FeatureRouter": "fastapi.APIRouter",
    "app.kit.local_postgres.throwaway": "local_postgres.ephemeral",
    "app.kit.local_postgres.development": "local_postgres.development",
    "app.kit.local_postgres.PostgresUnavailable": "local_postgres.PostgresUnavailable",
}
# In the modules of 0.6. Those of earlier releases read the database in another way.
MARK = "it goes in 0.7.0"
# A file in another encoding than UTF-8 is written as it was.
ERRORS = "surrogateescape"


def keep_removed(service: Path) -> list[str]:
    """Keep the removed modules that the service imports; return one sentence per change."""
    said: list[str] = []
    for file in files_of(service):
        text = read(file)
        if (changed := redirect_imports(text)) != text:
            file.write_text(changed, encoding="utf-8", errors=ERRORS, newline="")
            said.append(f"{file.relative_to(service)}: rewrote imports of removed names.")
    # A module that is kept may import another one.
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


def files_of(service: Path) -> list[Path]:
    """The Python files of the service, new ones included."""
    listed = git(service, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py")
    paths = {service / name for name in (listed or "").split("\0") if name}
    return sorted(path for path in paths if path.is_file())


def imported(service: Path) -> set[str]:
    """The removed modules that a file of the service imports."""
    return {name for file in files_of(service) for name in REMOVED if imports(file, name)}


def imports(file: Path, name: str) -> bool:
    """Whether a file imports this module of `app.kit.db`."""
    form = (
        r"(from|import)\s+[\w.]*\bdb\.{0}\b|from\s+[\w.]*\bdb\s+import\s*(\([^)]*|[^\n(]*)\b{0}\b"
    )
    if file.parent.as_posix().endswith(KIT):
        form += r"|from\s+\.{0}\b"
    return bool(re.search(form.format(name), read(file)))


def redirect_imports(text: str) -> str:
    """The text of a module that imports moved names from where they are now."""
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
    """The import of a name under an alias."""
    module, _, own = name.rpartition(".")
    return f"from {module} import {own}" + (f" as {alias}" if alias != own else "")


def read(file: Path) -> str:
    """The text of a file, with its line endings."""
    return file.read_bytes().decode("utf-8", ERRORS)


def path_of(service: Path, name: str) -> Path:
    """Where a removed module was."""
    return service / KIT / f"{name}.py"


def source_of(service: Path, name: str) -> str:
    """The module as it is committed; in place of one before 0.6, that of the newest 0.6."""
    committed = git(service, "show", f"HEAD:./{KIT}/{name}.py")
    if committed and MARK in committed:
        return committed
    template = Path(__file__).parents[1]
    tags = (git(template, "tag", "--list", "v0.6.*", "--sort=-version:refname") or "").split()
    of_tags = (git(template, "show", f"{tag}:template/{KIT}/{name}.py") for tag in tags)
    return next(filter(None, of_tags), committed) or ""


def git(directory: Path, *arguments: str) -> str | None:
    """What Git prints; None if it fails, as for a file that it does not know."""
    command = ["git", "-C", str(directory), *arguments]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    return ended.stdout if ended.returncode == 0 else None


if __name__ == "__main__":
    for sentence in keep_removed(Path.cwd()):
        sys.stdout.write(f"{sentence}\n")
