"""Rendering of templates, and formatting of their result with ruff."""

import ast
import shutil
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.kit.cli.errors import CommandFailed
from scaffold import service
from scaffold.feature import Feature
from scaffold.file_changes import read
from scaffold.imports import add_imports, definitions
from scaffold.names import with_article
from scaffold.samples import Factory, factories_for

_RUFF = shutil.which("ruff", path=sysconfig.get_path("scripts")) or "ruff"
TEMPLATES = Path(__file__).parent / "templates"
_UNKNOWN_ID = {True: "2**62", False: '"01987f3e-6b5d-7c3a-b0f2-d4c6e8a01357"'}


def render_feature(feature: Feature) -> dict[str, str]:
    """Return the text of each file of a feature, by its path in the service."""
    folder = f"src/{feature.package.replace('.', '/')}"
    names = ["models", "schemas", "repository", "router"]
    names += ["service"] if feature.has_service else []
    files = {f"{folder}/{name}.py": render(f"{name}.py", feature) for name in names}
    files[f"tests/features/test_{feature.plural}.py"] = render("test.py", feature)
    finished = {path: _finish_new_file(path, text, feature) for path, text in files.items()}
    return {f"{folder}/__init__.py": ""} | finished


def render(name: str, feature: Feature) -> str:
    """Render a template for a feature."""
    return _environment().get_template(f"{name}.tmpl").render(_context(feature))


def render_macro(name: str, *arguments: object) -> str:
    """Render a macro of parts.tmpl."""
    macros = _environment().get_template("parts.tmpl").module
    return str(getattr(macros, name)(*arguments)).strip("\n")


@cache
def _environment() -> Environment:
    environment = Environment(  # noqa: S701 - it writes Python, not HTML
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # jinja2 does not annotate its filters, and pyright infers their type in some runs only.
    filters: dict[str, Any] = cast("Any", environment).filters
    filters["as_json"] = _as_json
    filters["set"] = _set_literal
    filters["with_article"] = with_article
    return environment


def _as_json(key: str) -> str:
    """Convert the expression of an id to that of its JSON value."""
    return key if service.has_integer_ids() else f"str({key})"


def _set_literal(names: Iterable[str]) -> str:
    return "{" + ", ".join(f'"{name}"' for name in names) + "}"


def _context(feature: Feature) -> dict[str, Any]:
    samples = [
        each.model_sample if feature.options.read_only else each.request_sample
        for each in feature.columns
    ]
    return {
        "f": feature,
        "factories": _factories(feature),
        "has_auth": service.has_auth(),
        "has_unique": bool(feature.unique_columns),
        "references": ", ".join(f'"{each.key}": {each.target_cls}' for each in feature.references),
        "many_keys": _set_literal(each.key for each in feature.to_many),
        "required": [f"body.{name}" for name in feature.required_fields],
        "table_arguments": _table_arguments(feature),
        "unique": feature.unique_columns,
        "unknown_id": _UNKNOWN_ID[service.has_integer_ids()],
        "uses_number": any("number" in each for each in samples),
    }


def _table_arguments(feature: Feature) -> str:
    """Return the value of `__table_args__`."""
    lines: list[str] = []
    if feature.base == "Model":
        lines += [f'unique_when_not_deleted("{name}"),' for name in feature.unique_columns]
    lines += ["# The order of the list, newest first.", 'Index(None, "created_at", "id"),']
    if feature.indexed_keys:
        lines.append("# A list filtered by a foreign key; the indexes serve the keys as well.")
    lines += [f'Index(None, "{key}", "created_at", "id"),' for key in feature.indexed_keys]
    return "(\n" + "\n".join(lines) + "\n)"


def _importable_names(path: str, feature: Feature) -> dict[str, str]:
    """Map the names of the feature and its targets to the modules to import them from."""
    package, cls = feature.package, feature.cls
    targets = {each.target.cls: each.target.module for each in feature.references if each.target}
    enums = [each.cls for each in feature.columns if each.field.kind == "enum"]
    models = [cls, *enums, *(each.association_class for each in feature.to_many)]
    names = dict.fromkeys(models, f"{package}.models") | targets
    if path.startswith("tests/"):
        for each in _factories(feature):
            names |= {each.target.cls: each.target.module} | each.imports
        return names
    schemas = [f"{cls}{end}" for end in ("Create", "Changes", "Query", "Out")]
    names |= dict.fromkeys(schemas, f"{package}.schemas")
    queries = [feature.view, "NEWEST", f"{cls}Repository", "matching"]
    return names | dict.fromkeys(queries, f"{package}.repository") | {"service": package}


def _factories(feature: Feature) -> list[Factory]:
    return factories_for([each.target for each in feature.references if each.target])


def _finish_new_file(path: str, text: str, feature: Feature) -> str:
    source = format_source(path, add_imports(text, _importable_names(path, feature)))
    for defined, count in Counter(definitions(ast.parse(source))).items():
        if count > 1:
            raise CommandFailed(
                f"{path} would define `{defined}` twice: choose other names of model and fields."
            )
    return source


def finish_edit(path: str, text: str, feature: Feature | None = None) -> str:
    """Add the missing imports to an edited file, and format it if it was formatted before."""
    source = add_imports(text, _importable_names(path, feature) if feature else {})
    if not (service.root() / path).exists():
        return format_source(path, source)
    before = read(path)
    try:
        is_formatted = format_source(path, before) == before
    except CommandFailed:
        is_formatted = False
    # Formatting an unformatted file would change lines that the team wrote.
    return format_source(path, source) if is_formatted else source


def format_source(path: str, source: str) -> str:
    """Return a module with sorted imports, formatted; raises CommandFailed if lint rejects it."""
    sorted_ = _ruff(path, source, "check", "--fix-only", "--quiet", "--select", "I")
    formatted = _ruff(path, sorted_, "format", "--quiet")
    _ruff(path, formatted, "check", "--quiet", "--output-format", "concise")
    return formatted


def _ruff(path: str, source: str, *arguments: str) -> str:
    # `app` includes modules that do not exist yet.
    first_party = (
        [] if arguments[0] == "format" else ["--config", "lint.isort.known-first-party=['app']"]
    )
    options = [*arguments, *first_party, "--no-cache", "--stdin-filename", path, "-"]
    result = subprocess.run(
        [_RUFF, *options],
        input=source,
        cwd=service.root(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if result.returncode:
        raise CommandFailed(
            f"{path} could not be generated: {(result.stdout + result.stderr).strip()}\n"
            "Choose shorter or other names; please report this if they are ordinary ones."
        )
    return result.stdout
