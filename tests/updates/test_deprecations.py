"""Public names of the kit are deprecated for one release before they are removed."""

import ast
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import URL

from hooks import keep_removed
from hooks.move_list import Moves
from tests.processes import run
from tests.rendering import ROOT
from tests.services import Interpreter, database_url
from tests.updates.conftest import ServiceFactory
from tests.updates.history import CURRENT, RELEASES, announced_removals, unpack

# The variants of a file all define the same public names.
KIT_FOLDERS = ["template/src/app/kit", "variants"]

# Names that teams do not import: the code of commands, and the statements of a view.
INTERNAL = (
    "kit/cli/checks.",
    "kit/cli/commands/diagram.",
    "kit/cli/commands/doctor.",
    "kit/cli/commands/scaffold.",
    "kit/diagnosis/",
    "kit/commands/diagram.",
    "kit/commands/scaffold.",
    "kit/diagram/",
    "kit/queries/columns.ViewSelects.",
    "kit/queries/selects.ViewSelects.",
)

MOVES = Moves.load()
# The module of 0.8.0 with the contents of each folder in variants/.
VARIANT_MODULES = {
    "authentication": "app.kit.authentication",
    "caller": "app.kit.db.caller",
    "deletion": "app.kit.db.deletion",
    "identity": "app.kit.commands.identity",
    "ids": "app.kit.db.ids",
    "tracing": "app.kit.tracing",
}

DEPRECATED = """

from typing_extensions import deprecated


@deprecated("use now; it is removed in 9.0")
def today() -> None: ...
"""
CALL = """
from app.kit.http.schemas import today


def call() -> None:
    today()
"""
TEST = """
from app.features import old
from app.kit import old as kit


def test_they_are_called() -> None:
    old.call()
    kit.call()
"""

# Tests of a service that read its modules.
RULES = ["tests/architecture/test_code_rules.py", "tests/example/test_patterns.py"]


def modules(directory: Path) -> dict[str, ast.Module]:
    """Parse each module of the kit; return the syntax trees by name, such as `kit/db/base`."""
    found: dict[str, ast.Module] = {}
    for root in (directory / part for part in KIT_FOLDERS):
        for path in sorted([*root.rglob("*.py"), *root.rglob("*.py.jinja")]):
            if "tests" not in path.parts and "local_postgres" not in path.parts:
                name = path.relative_to(root.parent).as_posix().partition(".")[0]
                # A file that only includes a variant is not valid Python.
                with suppress(SyntaxError):
                    found[name] = ast.parse(path.read_text())
    return found


def public_names(directory: Path, *, private: bool = False) -> dict[str, bool]:
    """Return each public name, including type aliases, and whether it is deprecated.

    With `private`, include the members of private classes, which other classes inherit.
    """
    found: dict[str, bool] = {}
    for name, tree in modules(directory).items():
        found |= names_in(tree, name, private=private)
    return found


def names_in(
    tree: ast.Module | ast.ClassDef, prefix: str, *, private: bool = False
) -> dict[str, bool]:
    """Return the names that a module or a class defines."""
    found: dict[str, bool] = {}
    for node in tree.body:
        for alias in assigned(node) if isinstance(tree, ast.Module) else []:
            found[f"{prefix}.{alias}"] = "deprecated(" in ast.unparse(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_") and not (private and isinstance(node, ast.ClassDef)):
                continue
            name = f"{prefix}.{node.name}"
            found[name] = any("deprecated" in ast.unparse(each) for each in node.decorator_list)
            if isinstance(node, ast.ClassDef):
                found |= names_in(node, name, private=private)
    return found


def assigned(node: ast.stmt) -> list[str]:
    """Return the public names that a statement assigns, such as `Id` or `SessionDep`."""
    match node:
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar"))):
            names = []
        case ast.Assign(targets=targets):
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            names = [name]
        case _ if type(node).__name__ == "TypeAlias":
            names = [ast.unparse(node).split()[1].partition("[")[0]]
        case _:
            names = []
    return [name for name in names if not name.startswith("_")]


def deprecated_in(names: dict[str, bool]) -> set[str]:
    """Return the deprecated names, without their modules."""
    return {name.rpartition(".")[2] for name, deprecated in names.items() if deprecated}


def uses_of(names: set[str], source: str) -> set[str]:
    """Return the names that a module uses, except its variables and attributes of packages."""
    tree = ast.parse(source)
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.Import))
    others = {each.asname or each.name for node in imports for each in node.names}
    variables = {
        node.arg if isinstance(node, ast.arg) else node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.arg)
        or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    }
    used: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()) if name not in variables:
                used.add(name)
            case ast.Attribute(value=ast.Name(id=owner)) if owner in others:
                pass  # `typer.Argument`
            case ast.Attribute(attr=name):
                used.add(name)
    return names & used


def test_public_names_include_type_aliases() -> None:
    found = {name.rpartition(".")[2] for name in public_names(ROOT)}

    assert {"Id", "SessionDep", "ReadSessionDep", "UtcDatetime", "relationship", "Page"} <= found


def test_kit_does_not_use_deprecated_names() -> None:
    names = deprecated_in(public_names(ROOT))

    for path in (ROOT / KIT_FOLDERS[0]).rglob("*.py"):
        assert not uses_of(names, path.read_text()), path
    assert uses_of({"today"}, "from app.kit.http.schemas import today\n\ntoday()") == {"today"}
    assert not uses_of({"Argument"}, "import typer\n\ntyper.Argument()")


@cache
def released_names() -> dict[str, dict[str, bool]]:
    """Return the public names of each release, and whether they are deprecated."""
    found: dict[str, dict[str, bool]] = {}
    for version, commit in RELEASES.items():
        with TemporaryDirectory() as directory:
            unpack(commit, Path(directory))
            found[version] = public_names(Path(directory))
    return found


@cache
def announced_names() -> set[str]:
    """Return the last part of each name that a release deprecated."""
    return {name for names in released_names().values() for name in deprecated_in(names)}


def is_announced(name: str) -> bool:
    """Return whether a release deprecated a name or its class, or the changelog lists it.

    An update from an earlier release does not warn: it keeps the removed modules that a service
    imports, and redirects the imports of the other names.
    """
    module, *names = name.split(".")
    kept = {f"kit/db/{each}" for each in keep_removed.REMOVED}
    announced = announced_names() | announced_removals()
    is_public = not name.startswith(INTERNAL)
    return not is_public or module in kept or bool({*names} & announced)


def moved_name(name: str) -> str:
    """Return the name in the layout of 0.9.0; an update rewrites its uses."""
    path, first, *members = name.split(".")
    is_variant = path.startswith("variants/")
    old = VARIANT_MODULES.get(path.split("/")[1]) if is_variant else f"app.{path.replace('/', '.')}"
    module, new = MOVES.imported(old or "", first)
    new_path = path.replace("/caller/", "/current_user/").replace("identity", "development_issuer")
    target = new_path if is_variant else module.removeprefix("app.").replace(".", "/")
    renamed = MOVES.attributes | MOVES.members.get(f"{old}.{first}", {})
    return ".".join([target, new, *(renamed.get(each, each) for each in members)])


@cache
def reachable_names(directory: Path) -> set[str]:
    """Return the public names in each module that defines, imports or inherits them."""
    trees, found = modules(directory), set(public_names(directory, private=True))
    for name in [name for name in found if name.startswith("variants/deletion/")]:
        found.add(f"kit/db/deletion.{name.partition('.')[2]}")
    size = 0
    while size < len(found):
        size = len(found)
        for module, node in ((name, node) for name, tree in trees.items() for node in tree.body):
            for old, new in aliases_in(module, node):
                moved = {new + name[len(old) :] for name in found if name.startswith(f"{old}.")}
                found |= {new} | moved
    return found


def aliases_in(module: str, node: ast.stmt) -> list[tuple[str, str]]:
    """Return pairs of an imported or inherited name and its name in this module."""
    match node:
        case ast.ImportFrom(module=str(source), names=names):
            source = source.removeprefix("app.").replace(".", "/")
            return [
                (f"{source}.{each.name}", f"{module}.{each.asname or each.name}") for each in names
            ]
        case ast.ClassDef(name=name, bases=bases):
            parents = [ast.unparse(base).partition("[")[0] for base in bases]
            return [(f"{module}.{parent}", f"{module}.{name}") for parent in parents]
        case _:
            return []


def test_removed_names_were_deprecated_in_an_earlier_release() -> None:
    now, released = reachable_names(ROOT), released_names()

    assert min(map(len, released.values())) > 50
    lost = {
        f"{version}: {name}"
        for version, names in released.items()
        for name in names
        if not {name, moved_name(name)} & now and not is_announced(name)
    }
    assert not lost, (
        "a team may use these names: restore them with @deprecated('use …; it is removed in …')"
    )


@pytest.mark.slow
def test_use_of_deprecated_name_warns(
    service_at: ServiceFactory, interpreter: Interpreter, server: URL
) -> None:
    service = service_at(CURRENT)
    service.append("src/app/kit/http/schemas.py", DEPRECATED)
    service.write("src/app/features/old.py", CALL)
    service.write("src/app/kit/old.py", CALL)
    service.write("tests/features/test_old.py", TEST)

    warned = run(
        *(interpreter.python, "-m", "pytest", "tests/features", *RULES),
        *("-k", "called or old or patterns"),
        cwd=service.directory,
        PYTHONPATH="src",
        DATABASE_URL=database_url(server),
    )

    assert warned.returncode == 0, warned.stdout
    for package in ("features", "kit"):
        warning = f"app/{package}/old.py:6: DeprecationWarning: use now; it is removed in 9.0"
        assert warning in warned.stdout
