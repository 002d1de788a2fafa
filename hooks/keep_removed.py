"""Keep modules that release 0.7.0 removes from the kit, if the code of a team imports them.

Copier has removed the modules. `keep_removed` restores each module that a file of the service
imports; from then on, the module belongs to the team. No file of the template has such imports.
"""

import re
from pathlib import Path

from hooks.repository import files_of, git

KIT = "src/app/kit/db"
# Removed modules, and their replacements.
REMOVED = {
    "hot": "View of app.kit.queries.view",
    "hot_writes": "View.insert of app.kit.queries.view",
    "projection": "View of app.kit.queries.view",
    "compiled": "View of app.kit.queries.view",
}
# Only modules of 0.6 contain this text; those of earlier releases access the database differently.
MARK = "it goes in 0.7.0"
# Lines of the removed modules that use parts of the kit which changed, and their replacements.
PREPARE = {
    '        names = [str(item["name"]) for item in described]\n': "",
    "prepare(self.statement, dialect, names=names)": "prepare(self.statement, dialect)",
}
PREPARE_INSERT = {"dialect, names=list(self.returned))": "dialect)"}
# Since 0.8.0, the kit reads JSON as text.
JSON_AS_TEXT = {
    "import ColumnElement, Select, select\n": "import JSON, ColumnElement, Select, cast, select\n",
    "        return select(_Shown(self.schema, columns_of(self.schema, self.model)))\n": """\
        related = self.model.__mapper__.relationships
        columns: list[Any] = columns_of(self.schema, self.model)
        shown = [
            cast(column.element, JSON).label(column.name) if column.name in related else column
            for column in columns
        ]
        return select(_Shown(self.schema, shown))
""",
}
# Since 0.12.0, `insert_row` computes defaults and returns the schema.
SELECT = {
    ", Dialect, Text, bindparam": ", Dialect, Select, Text, bindparam",
    "(self, statement: AnySelect) -> None:": "(self, statement: Select[Any]) -> None:",
    "(self, statement: AnySelect, schema:": "(self, statement: Select[Any], schema:",
}
INSERT = {
    "import Callable, Sequence\n": "import Sequence\n",
    "arguments, insert_defaults, insert_row, mapper_of\n": "arguments, insert_row\n",
    "table_columns(mapper_of(model))": "table_columns(model.__mapper__)",
    "        # PostgreSQL knows no default of Python.\n": "",
    (
        "        self.defaults: dict[str, Callable[[], Any]] = insert_defaults(model, self.given)\n"
    ): "",
    "        names = [*self.given, *self.defaults]\n": "",
    "insert_row(model, names).returning(*self.returned.values())": (
        "insert_row(schema, model, self.given)"
    ),
    "        values |= {name: default() for name, default in self.defaults.items()}\n": "",
}
# Each entry applies if the module has all its lines.
REPAIRS = [
    ("hot", PREPARE),
    ("hot", SELECT | {"from app.kit.db.json import AnySelect\n": ""}),
    ("hot", SELECT | {"from app.kit.queries.compiled.json_sql import AnySelect\n": ""}),
    ("hot_writes", PREPARE_INSERT),
    ("hot_writes", INSERT),
    ("projection", JSON_AS_TEXT),
]
# Preserves the bytes of files that are not UTF-8.
ERRORS = "surrogateescape"


def keep_removed(service: Path) -> list[str]:
    """Keep the removed modules that the service imports; return one sentence per module."""
    said: list[str] = []
    # A restored module may import another removed module.
    while missing := [each for each in imported(service) if not path_of(service, each).exists()]:
        for name in missing:
            path_of(service, name).write_text(source_of(service, name), encoding="utf-8")
            said.append(
                f"{KIT}/{name}.py: kept, because your code imports it. It is yours now;"
                f" replace it with {REMOVED[name]}."
            )
    return said


def repair(service: Path) -> None:
    """Adapt kept modules to the kit."""
    for name, lines in REPAIRS:
        file = path_of(service, name)
        text = read(file) if file.exists() else ""
        if text and all(text.count(line) == 1 for line in lines):
            for old, new in lines.items():
                text = text.replace(old, new)
            file.write_text(text, encoding="utf-8", errors=ERRORS, newline="")


def imported(service: Path) -> list[str]:
    """Return the removed modules that files of the service import."""
    files = [service / path for path in files_of(service) if path.endswith(".py")]
    return [name for name in REMOVED if any(imports(file, name) for file in files)]


def imports(file: Path, name: str) -> bool:
    """Return whether a file imports this module of `app.kit.db`."""
    form = (
        r"(from|import)\s+[\w.]*\bdb\.{0}\b|from\s+[\w.]*\bdb\s+import\s*(\([^)]*|[^\n(]*)\b{0}\b"
    )
    if file.parent.as_posix().endswith(KIT):
        form += r"|from\s+\.{0}\b"
    return bool(re.search(form.format(name), read(file)))


def read(file: Path) -> str:
    """Return the text of a file, with its line endings."""
    return file.read_bytes().decode("utf-8", ERRORS)


def path_of(service: Path, name: str) -> Path:
    """Return the former path of a removed module."""
    return service / KIT / f"{name}.py"


def source_of(service: Path, name: str) -> str:
    """Return the committed module or, for a release before 0.6, the module of the newest 0.6."""
    committed = (git(service, "show", f"HEAD:./{KIT}/{name}.py") or b"").decode()
    if MARK in committed:
        return committed
    template = Path(__file__).parents[1]
    tags = git(template, "tag", "--list", "v0.6.*", "--sort=-version:refname") or b""
    paths = (f"{tag}:template/{KIT}/{name}.py" for tag in tags.decode().split())
    found = next(filter(None, (git(template, "show", path) for path in paths)), b"")
    return found.decode() or committed
