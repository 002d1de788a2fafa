"""The files of a feature, rendered from the templates and formatted by ruff."""

import ast
import shutil
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.kit.cli.errors import CommandFailed
from scaffold import service
from scaffold.feature import Feature
from scaffold.imports import definitions, with_imports
from scaffold.names import with_article
from scaffold.samples import Factory, factories_of
from scaffold.writing import read

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
    finished = {path: _finish(path, text, feature) for path, text in files.items()}
    return {f"{folder}/__init__.py": ""} | finished


def render(name: str, feature: Feature) -> str:
    """Return the text of a template."""
    return _environment().get_template(f"{name}.tmpl").render(_context(feature))


def part(name: str, *arguments: object) -> str:
    """Return the text of a macro of parts.tmpl."""
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
    filters: dict[str, Any] = environment.filters
    filters["as_json"] = _as_json
    filters["set"] = _set_of
    filters["with_article"] = with_article
    return environment


def _as_json(key: str) -> str:
    """Return an id as JSON has it, as an expression."""
    return key if service.has_integer_ids() else f"str({key})"


def _set_of(names: Iterable[str]) -> str:
    return "{" + ", ".join(f'"{name}"' for name in names) + "}"


def _context(feature: Feature) -> dict[str, Any]:
    samples = [
        each.python_sample if feature.options.read_only else each.sample for each in feature.columns
    ]
    return {
        "f": feature,
        "factories": _factories(feature),
        "has_auth": service.has_auth(),
        "has_unique": bool(feature.unique),
        "references": ", ".join(f'"{each.key}": {each.target_cls}' for each in feature.references),
        "many_keys": _set_of(each.key for each in feature.manys),
        "required": [f"body.{name}" for name in feature.required],
        "table_arguments": _table_arguments(feature),
        "unique": feature.unique,
        "unknown_id": _UNKNOWN_ID[service.has_integer_ids()],
        "uses_number": any("number" in each for each in samples),
    }


def _table_arguments(feature: Feature) -> str:
    lines: list[str] = []
    if feature.base == "Model":
        lines += [f'unique_when_not_deleted("{name}"),' for name in feature.unique]
    lines += ["# The order of the list, newest first.", 'Index(None, "created_at", "id"),']
    refs = [each.key for each in feature.refs if not each.field.unique]
    if refs:
        lines.append("# A list filtered by a foreign key; the indexes serve the keys as well.")
    lines += [f'Index(None, "{key}", "created_at", "id"),' for key in refs]
    return "(\n" + "\n".join(lines) + "\n)"


def _modules_of(path: str, feature: Feature) -> dict[str, str]:
    """Return the modules of the names that a file may use."""
    package, cls = feature.package, feature.cls
    targets = {each.target.cls: each.target.module for each in feature.references if each.target}
    enums = [each.cls for each in feature.columns if each.field.kind == "enum"]
    models = [cls, *enums, *(each.cls for each in feature.manys)]
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
    return factories_of([each.target for each in feature.references if each.target])


def _finish(path: str, text: str, feature: Feature) -> str:
    source = format_source(path, with_imports(text, _modules_of(path, feature)))
    for defined, number in Counter(definitions(ast.parse(source))).items():
        if number > 1:
            raise CommandFailed(
                f"{path} would define `{defined}` twice: choose other names of model and fields."
            )
    return source


def finish_edit(path: str, text: str, feature: Feature | None = None) -> str:
    """Return an edited file with the imports that it lacks, formatted if it was before."""
    source = with_imports(text, _modules_of(path, feature) if feature else {})
    if not (service.root() / path).exists():
        return format_source(path, source)
    before = read(path)
    try:
        is_formatted = format_source(path, before) == before
    except CommandFailed:
        is_formatted = False
    # Formatting would change other lines of a file that is not formatted.
    return format_source(path, source) if is_formatted else source


def format_source(path: str, source: str) -> str:
    """Return a module with sorted imports, formatted; raises CommandFailed if lint rejects it."""
    sorted_ = _ruff(path, source, "check", "--fix-only", "--quiet", "--select", "I")
    formatted = _ruff(path, sorted_, "format", "--quiet")
    _ruff(path, formatted, "check", "--quiet", "--output-format", "concise")
    return formatted


def _ruff(path: str, source: str, *arguments: str) -> str:
    # Modules that do not exist yet are ours, too.
    ours = [] if arguments[0] == "format" else ["--config", "lint.isort.known-first-party=['app']"]
    options = [*arguments, *ours, "--no-cache", "--stdin-filename", path, "-"]
    ended = subprocess.run(
        [_RUFF, *options],
        input=source,
        cwd=service.root(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if ended.returncode:
        raise CommandFailed(
            f"{path} could not be generated: {(ended.stdout + ended.stderr).strip()}\n"
            "Choose shorter or other names; please report this if they are ordinary ones."
        )
    return ended.stdout
