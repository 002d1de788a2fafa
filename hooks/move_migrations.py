"""Imports of a team: write the modules that they need, and report what is missing."""

import ast
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from hooks.move_code import bound_names, module_level, parse
from hooks.move_list import Moves, path_of
from hooks.repository import files_of

# Modules with removed names.
KEPT = Path(__file__).with_name("kept")


def keep_importable(service: Path, migrations: list[str], moves: Moves) -> list[str]:
    """Write a module at each old path that migrations import; return what is left to do."""
    said: list[str] = []
    wanted: dict[str, set[str]] = {}
    for path in migrations:
        tree = parse(text_of(service / path))
        for line, module, old in imported_names(tree, moves) if tree else []:
            new_module, new = moves.imported(module, old)
            if (new_module, new) == (module, old) or old in moves.kept.get(module, []):
                continue
            if module in moves.modules and module not in moves.new_modules:
                wanted.setdefault(module, set()).add(old)
            else:
                said.append(
                    f"{path}:{line}: {old} of {module} is now {new} of {new_module}."
                    " Change the import."
                )
    for module, names in wanted.items():
        file = service / f"{path_of(module)}.py"
        if (service / path_of(module)).is_dir():
            said.append(
                f"Migrations import {', '.join(sorted(names))} of {module}: change the imports to"
                f" {moves.module(module)}."
            )
        elif not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source_of(module, names, moves), encoding="utf-8")
            said.append(f"{path_of(module)}.py: written, because your migrations import it.")
    return said


def imported_names(tree: ast.Module, moves: Moves) -> list[tuple[int, str, str]]:
    """Return the line, the module and the name of each import, and of each use of a module."""
    found: list[tuple[int, str, str]] = []
    places: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), level=0, names=names):
                for each in names:
                    if (full := f"{module}.{each.name}") in moves.modules:
                        places[each.asname or each.name] = full
                    else:
                        found.append((node.lineno, module, each.name))
            case ast.Import(names=names):
                # Alembic writes `import app.kit.db.intervals` for a type of that module.
                places |= {each.asname or each.name: each.name for each in names}
            case _:
                pass
    places = {alias: module for alias, module in places.items() if module in moves.modules}
    uses = [node for node in ast.walk(tree) if places and isinstance(node, ast.Attribute)]
    return found + [
        (use.lineno, places[owner], use.attr)
        for use in uses
        if (owner := ast.unparse(use.value)) in places
    ]


def source_of(module: str, names: set[str], moves: Moves) -> str:
    """Return a module that imports names from their new places."""
    imports = []
    for old in names:
        target, new = moves.imported(module, old)
        imports.append(f"from {target} import {new}" + (f" as {old}" if new != old else ""))
    listed = ", ".join(f'"{name}"' for name in sorted(names))
    head = '"""Old names, for migrations that import them."""\n\n'
    return head + "".join(f"{line}\n" for line in sorted(imports)) + f"\n__all__ = [{listed}]\n"


def restore(service: Path, modules: Iterable[str]) -> list[str]:
    """Write the modules with removed names that the service uses; return a sentence for each."""
    texts = [text_of(service / path) for path in files_of(service) if path.endswith(".py")]
    said: list[str] = []
    for module in sorted(modules):
        file = service / f"{path_of(module)}.py"
        is_used = any(re.search(rf"\b{re.escape(module)}\b", text) for text in texts)
        if is_used and not file.exists():
            shutil.copyfile(KEPT / file.name, file)
            said.append(
                f"{path_of(module)}.py: written, because your code uses removed functions. It is"
                " yours now; its first line names the replacement."
            )
    return said


def missing_imports(service: Path, path: str) -> list[str]:
    """Return a sentence for each name that a file imports from the kit and the kit lacks."""
    tree = parse(text_of(service / path))
    said: list[str] = []
    for node in ast.walk(tree) if tree else []:
        if not isinstance(node, ast.ImportFrom) or node.level or not node.module:
            continue
        if node.module.startswith("app.kit.") and is_valid(service / path_of(node.module)):
            has = {"*", *names_of(service / path_of(node.module))}
            place = f"{path}:{node.lineno}: {node.module} has no"
            missing = [each.name for each in node.names if each.name not in has]
            said += [f"{place} {name}. See CHANGELOG.md of the template." for name in missing]
    return said


def is_valid(stem: Path) -> bool:
    """Return whether Python can parse a module, given without a suffix. It may be missing."""
    return all(parse(text_of(file)) for file in module_files(stem))


def names_of(stem: Path) -> set[str]:
    """Return the names and the modules in a module or a package, given without a suffix."""
    names = {each.stem for each in stem.glob("*")}
    for file in module_files(stem):
        if tree := parse(text_of(file)):
            names |= set(bound_names(module_level(tree)))
    return names


def module_files(stem: Path) -> list[Path]:
    """Return the file of a module or a package, given without a suffix."""
    files = (stem.with_name(f"{stem.name}.py"), stem / "__init__.py")
    return [file for file in files if file.is_file()]


def text_of(file: Path) -> str:
    """Return the text of a module."""
    return file.read_bytes().decode("utf-8", "replace")
