"""The list of moved modules and renamed names, from moves.toml."""

import re
import tomllib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

LIST = Path(__file__).with_name("moves.toml")
# The folder of each top-level package; other packages are at the top of the service.
DEVTOOLS = ("local_postgres", "scaffold", "scaffold_installer", "schema_diagram")
ROOTS = {"app": "src/", **dict.fromkeys(DEVTOOLS, "devtools/")}


@dataclass(frozen=True)
class Moves:
    """Old and new dotted names.

    Args:
        modules: Modules.
        packages: Packages, for text. A module that is not listed stays in its package.
        names: Names, with their modules.
        attributes: Attributes and methods, of any object.
        members: Attributes and methods of a class, by its old name.
        kept: Old modules that stay, and the names that they re-export.
        restored: New modules of removed names, which a service gets if it uses the names.
    """

    modules: dict[str, str] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    members: dict[str, dict[str, str]] = field(default_factory=dict)
    kept: dict[str, list[str]] = field(default_factory=dict)
    restored: frozenset[str] = frozenset()

    @classmethod
    def load(cls, path: Path = LIST) -> "Moves":
        """Read the list."""
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        modules, names = tables["modules"], {}
        for module, renamed in tables["names"].items():
            for old, new in renamed.items():
                target, _, name = new.rpartition(":")
                names[f"{module}.{old}"] = f"{target or modules.get(module, module)}.{name}"
        restored: set[str] = set()
        for module, targets in tables["restored"].items():
            names |= {f"{module}.{name}": f"{target}.{name}" for name, target in targets.items()}
            restored |= {*targets.values()}
        others = {table: tables[table] for table in ("packages", "attributes", "members", "kept")}
        return cls(modules=modules, names=names, restored=frozenset(restored), **others)

    def of_release(self, files: dict[str, bytes]) -> "Moves":
        """Return what a release with these files has: later names may be like earlier ones."""
        modules = {module_of(path): path for path in files if path.endswith(".py")}
        texts = {module or "": files[path].decode() for module, path in modules.items()}

        def has(name: str) -> bool:
            module, _, own = name.rpartition(".")
            return re.search(rf"\b{own}\b", texts.get(module, "")) is not None

        def is_file(module: str) -> bool:
            # `app.kit.errors` is a package since 0.9.0.
            return not modules.get(module, "__init__.py").endswith("__init__.py")

        kit = "\n".join(text for module, text in texts.items() if module.startswith("app.kit"))
        return replace(
            self,
            modules={old: new for old, new in self.modules.items() if is_file(old)},
            names={old: new for old, new in self.names.items() if has(old)},
            attributes={
                old: new for old, new in self.attributes.items() if re.search(rf"\b{old}\b", kit)
            },
            members={old: new for old, new in self.members.items() if has(old)},
        )

    @cached_property
    def old_modules(self) -> set[str]:
        """The old modules that moved or lost a name."""
        return {*self.modules, *(name.rpartition(".")[0] for name in self.names)}

    @cached_property
    def new_modules(self) -> set[str]:
        """The new modules."""
        return {*self.modules.values(), *(new.rpartition(".")[0] for new in self.names.values())}

    def module(self, old: str) -> str:
        """Return the new name of a module."""
        return self.modules.get(old, old)

    def imported(self, module: str, name: str) -> tuple[str, str]:
        """Return the new module and the new name of `from module import name`."""
        full = f"{module}.{name}"
        new = self.names.get(full) or self.modules.get(full)
        if new:
            parent, _, last = new.rpartition(".")
            return parent, last
        if full in self.new_modules:
            return module, name
        return self.module(module), name

    def dotted(self, text: str) -> str:
        """Return the new form of a dotted name that starts with an old module or name."""
        parts = text.split(".")
        for size in range(len(parts), 1, -1):
            prefix, rest = ".".join(parts[:size]), "".join(f".{part}" for part in parts[size:])
            # The old name `problems` of `app.kit.errors` is like the new module.
            if prefix in self.new_modules:
                break
            if new := self.names.get(prefix) or self.modules.get(prefix):
                return new + rest
        return self.packages.get(text, text)

    def rewrite_text(self, text: str) -> str:
        """Rewrite dotted names of modules, and paths of files, in any text."""
        return self._words.sub(lambda found: self._word(found[0]), text)

    @cached_property
    def _words(self) -> re.Pattern[str]:
        tops = "|".join(sorted({module.partition(".")[0] for module in self.old_modules}))
        return re.compile(rf"(?<![\w-])(?<!\w[./])(?:(?:src|devtools)/)?(?:{tops})(?:[./]\w+)+")

    def _word(self, word: str) -> str:
        if "/" not in word:
            return self.dotted(word)
        stem = word.removesuffix(".py")
        package = stem.removeprefix("src/").removeprefix("devtools/")
        old = package.replace("/", ".")
        new = self.modules.get(old) or self.packages.get(old)
        if new is None:
            return word
        return word.replace(stem, new.replace(".", "/") if package == stem else path_of(new))


def module_of(path: str) -> str | None:
    """Return the dotted name of a module of the service, or None for another file."""
    if not path.endswith(".py"):
        return None
    stem = path.removesuffix(".py").removesuffix("/__init__")
    for root in set(ROOTS.values()):
        stem = stem.removeprefix(root)
    return stem.replace("/", ".")


def path_of(module: str) -> str:
    """Return the path of a module, without a suffix."""
    return ROOTS.get(module.partition(".")[0], "") + module.replace(".", "/")
