"""Bring a service to the layout of release 0.12.0: carry a team's edits, rewrite its code.

Copier has written the files of the new release. This script renders the old and the new release. It
merges each edited file again, with the new names in both old versions, into the new path. Then it
rewrites imports and names in the code of the team. moves.toml lists what moved. Migrations never
change. The script is idempotent, and prints a sentence for everything that it could not do.
"""

import os
import shutil
import sys
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import copier
import yaml

# Copier runs this file as a script.
sys.path.insert(0, str(Path(__file__).parents[1]))

from hooks.keep_removed import keep_removed, repair
from hooks.move_code import rewrite
from hooks.move_list import Moves, module_of, path_of
from hooks.move_merge import MARKERS, Text, has_same_content, merge
from hooks.move_migrations import keep_importable, missing_imports, restore
from hooks.move_style import format_changed, format_like
from hooks.repository import (
    ANSWERS,
    committed_files,
    files_of,
    git,
    mark_merged,
    mark_unmerged,
)

MIGRATIONS = "migrations/versions/"
# Text of a team in which paths and dotted names may stand.
TEXTS = {".cfg", ".ini", ".json", ".mako", ".md", ".sh", ".toml", ".yaml", ".yml"}
NO_SUFFIX = {"Dockerfile", "Justfile", "Makefile", "justfile"}


def move(service: Path, *, is_first_run: bool) -> list[str]:
    """Move a service; return sentences about what is left to do.

    Only the first run merges edits. It may assume that the files are as Copier wrote them.
    """
    committed = git(service, "show", f"HEAD:./{ANSWERS}")
    before = yaml.safe_load(committed or b"{}")
    after = yaml.safe_load((service / ANSWERS).read_bytes())
    if not before or before["_commit"] == after["_commit"]:
        return []
    with TemporaryDirectory() as place:
        old = rendered(before, Path(place, "old"))
        if committed_files(service)[0] == old:
            return []
        new = rendered(after, Path(place, "new"))
    moves = Moves.load()
    if "src/app/kit/errors.py" not in old:
        # Since 0.9.0, names of the kit may be like earlier ones.
        moves = moves.of_release(old)
    moving = _Move(service, moves, old, new)
    if is_first_run:
        moving.carry_edits()
    moving.rewrite_own_code()
    return moving.said


def rendered(answers: dict[str, Any], place: Path) -> dict[str, bytes]:
    """Return the files of a release."""
    copier.run_copy(
        answers["_src_path"],
        place,
        data={name: value for name, value in answers.items() if not name.startswith("_")},
        vcs_ref=answers["_commit"],
        defaults=True,
        quiet=True,
        unsafe=True,
        skip_tasks=True,
    )
    files = (path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in files}


class _Move:
    def __init__(
        self, service: Path, moves: Moves, old: dict[str, bytes], new: dict[str, bytes]
    ) -> None:
        self.service, self.moves, self.old, self.new = service, moves, old, new
        self.head, self.executable = committed_files(service)
        self.said: list[str] = []
        # The text of each changed file before the change.
        self.changed: dict[str, bytes] = {}
        self.merged: dict[str, bytes] = {}

    # ------------------------------------------------------------------ edited files
    def carry_edits(self) -> None:
        """Merge the edited files of the template again, and delete what the team deleted."""
        for path in sorted(self.old):
            is_edited = self.head.get(path, self.old[path]) != self.old[path]
            if is_edited and path != ANSWERS and not path.startswith(MIGRATIONS):
                self.carry(path)
        sources: dict[str, list[str]] = {}
        for path in self.old:
            if (target := self.new_path(path)) not in {path, None}:
                sources.setdefault(target or "", []).append(path)
        for target, paths in sources.items():
            if not self.head.keys() & {target, *paths}:
                (self.service / target).unlink(missing_ok=True)

    def new_path(self, path: str) -> str | None:
        """Return the path of a file in the new release."""
        module = module_of(path)
        stem = path_of(self.moves.module(module)) if module else path
        names = (stem, f"{stem}.py", f"{stem}/__init__.py")
        return next((name for name in names if name in self.new), None)

    def carry(self, path: str) -> None:
        """Merge the edits of a file of the template into the new file."""
        if module_of(path) in self.moves.kept and path in self.new:
            # Copier merged the edits into a file that has only imports now.
            (self.service / path).write_bytes(self.new[path])
            mark_merged(self.service, path)
        target = self.new_path(path)
        see = f"`git diff HEAD -- {path}` prints your version."
        if target is None:
            edited = not has_same_content(path, self.old[path], self.head[path])
            if edited and not (self.service / path).exists():
                self.said.append(f"{path}: the release removes this file, which you changed. {see}")
        elif target == path:
            file = self.service / path
            # Otherwise, Copier skipped the file, and `rewrite_own` rewrites it.
            if file.exists() and file.read_bytes() != self.head[path]:
                self.merge(path, target)
        elif target in self.head and target not in self.old:
            self.said.append(
                f"{target}: your file is at the new path of {path}, whose changes are not merged."
                f" {see}"
            )
        elif MARKERS.search(self.merged.get(target, b"").decode("utf-8", "replace")):
            self.said.append(f"{target}: has conflicts, so it lacks your changes of {path}. {see}")
        elif (self.service / target).exists():
            self.merge(path, target)

    def merge(self, path: str, target: str) -> None:
        """Merge three versions of a file, the old two with the new names."""
        style, latest = Text.of(self.head[path]), self.merged.get(target, self.new[target])
        base, theirs = Text.of(self.old[path]), Text.of(latest)
        if style is None or base is None or theirs is None:
            return
        texts = self.rewritten(path, base.text), self.rewritten(path, style.text), theirs.text
        options: Any = {"is_python": target.endswith(".py"), "exists": self.exists}
        text, is_clean = merge(*texts, **options)
        if not is_clean and options["is_python"]:
            # The team may use another line length.
            formatted = format_like(self.service, self.head, style.text, texts)
            again, is_clean_now = merge(*formatted, **options) if formatted else (text, False)
            if is_clean_now or len(MARKERS.findall(again)) < len(MARKERS.findall(text)):
                texts, text, is_clean = formatted, again, is_clean_now
        file = self.service / target
        self.merged[target] = content = style.encode(text)
        if file.read_bytes() != content:
            file.write_bytes(content)
            self.changed[target] = self.head[path]
        if path in self.executable:
            file.chmod(file.stat().st_mode | 0o111)
        if not is_clean:
            mark_unmerged(self.service, target, *map(style.encode, texts))
        elif target == path:
            mark_merged(self.service, path)

    def exists(self, module: str) -> bool:
        """Return whether a module is not of the service, or exists."""
        stem = self.service / path_of(module)
        is_own = module.startswith(("app.", "tests."))
        return not is_own or stem.is_dir() or stem.with_name(f"{stem.name}.py").exists()

    def rewritten(self, path: str, text: str) -> str:
        """Return the text of a file with new names."""
        if not path.endswith(".py"):
            return self.moves.rewrite_text(text)
        is_package = path.endswith("/__init__.py")
        return rewrite(text, module_of(path) or "", self.moves, is_package=is_package)

    # ------------------------------------------------------------------ the team's files
    def rewrite_own_code(self) -> None:
        """Rewrite what differs from the new release, and report what is left to do."""
        self.said += keep_removed(self.service)
        repair(self.service)
        paths = files_of(self.service)
        for path in paths:
            if path not in self.merged and not path.startswith(MIGRATIONS):
                self.rewrite_own(path)
        own = [each for each in paths if each.startswith(MIGRATIONS) and each not in self.new]
        migrations = [path for path in own if path.endswith(".py")]
        self.said += keep_importable(self.service, migrations, self.moves)
        self.said += restore(self.service, self.moves.restored)
        for path in files_of(self.service):
            if path.endswith(".py") and self.new.get(path) != (self.service / path).read_bytes():
                self.said += missing_imports(self.service, path)
        self.tidy_folders()
        self.said += format_changed(self.service, self.changed)

    def rewrite_own(self, path: str) -> None:
        """Rewrite a file that differs from the new release."""
        file = self.service / path
        is_python = path.endswith(".py")
        content = file.read_bytes()
        is_text = is_python or file.suffix in TEXTS or file.name in NO_SUFFIX
        text = Text.of(content) if is_text and path not in {ANSWERS, "uv.lock"} else None
        if text is None or self.new.get(path) == content:
            return
        if MARKERS.search(text.text):
            if self.moves.rewrite_text(text.text) != text.text:
                self.said.append(
                    f"{path}: has conflicts; replace the old names as you resolve them."
                )
            return
        new = self.rewritten(path, text.text)
        if new != text.text:
            self.changed[path] = content
            file.write_bytes(text.encode(new))
        elif is_python and self.moves.rewrite_text(new) != new:
            self.said.append(
                f"{path}: not rewritten, because Python {sys.version_info.major}."
                f"{sys.version_info.minor} cannot parse it. Replace the old imports by hand."
            )

    def tidy_folders(self) -> None:
        """Restore `__init__.py` in folders with modules of the team, and remove empty folders."""
        folders = {parent for path in self.old for parent in PurePosixPath(path).parents}
        for folder in sorted(folders - {PurePosixPath()}, key=lambda each: -len(each.parts)):
            place, package = self.service / folder, (folder / "__init__.py").as_posix()
            if package in self.new or not place.is_dir():
                continue
            is_kit = package.startswith("src/app/kit/") and package in self.old
            if all(each.name == "__pycache__" for each in place.iterdir()):
                shutil.rmtree(place)
            elif is_kit and package in self.head:
                (place / "__init__.py").write_bytes(self.head[package])


if __name__ == "__main__":
    # Before the update, only import the modules: a Python that is too old fails while nothing has
    # changed.
    if os.environ.get("STAGE") != "before":
        for sentence in move(Path.cwd(), is_first_run=os.environ.get("STAGE") == "after"):
            sys.stdout.write(f"{sentence}\n")
