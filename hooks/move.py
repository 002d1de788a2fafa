"""Bring a service to the layout of release 0.9.0: carry a team's edits, rewrite its code.

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

import yaml

# Copier runs this file as a script.
sys.path.insert(0, str(Path(__file__).parents[1]))

from hooks.move_code import rewrite
from hooks.move_list import Moves, module_of, path_of
from hooks.move_merge import MARKERS, Text, merge, merge_lines
from hooks.move_migrations import keep_importable, missing_imports
from hooks.move_style import format_changed
from hooks.rename import ANSWERS, git, mark_unmerged, render

MIGRATIONS = "migrations/versions/"
# Text of a team in which paths and dotted names may stand.
TEXTS = {".cfg", ".ini", ".json", ".mako", ".md", ".sh", ".toml", ".yaml", ".yml"}
NO_SUFFIX = {"Dockerfile", "Justfile", "Makefile", "justfile"}


def move(service: Path, *, is_first_run: bool) -> list[str]:
    """Move a service; return sentences about what is left to do.

    Only the first run may assume that the files are as Copier wrote them.
    """
    committed = git(service, "show", f"HEAD:./{ANSWERS}")
    before = yaml.safe_load(committed or b"{}")
    after = yaml.safe_load((service / ANSWERS).read_bytes())
    if not before or before["_commit"] == after["_commit"]:
        return []
    with TemporaryDirectory() as place:
        old, new = rendered(before, Path(place, "old")), rendered(after, Path(place, "new"))
    return _Move(service, Moves.load(), old, new, is_first_run=is_first_run).run()


def rendered(answers: dict[str, Any], place: Path) -> dict[str, bytes]:
    """Return the files of a release."""
    render(answers, place)
    files = (path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in files}


class _Move:
    def __init__(
        self,
        service: Path,
        moves: Moves,
        old: dict[str, bytes],
        new: dict[str, bytes],
        *,
        is_first_run: bool,
    ) -> None:
        self.service, self.moves, self.old, self.new = service, moves, old, new
        self.is_first_run = is_first_run
        self.head, self.entries = committed_files(service)
        self.said: list[str] = []
        # The text of each changed file before the change.
        self.changed: dict[str, bytes] = {}
        self.merged: dict[str, bytes] = {}

    def run(self) -> list[str]:
        edited = [
            path for path in self.old if self.head.get(path, self.old[path]) != self.old[path]
        ]
        for path in sorted(edited):
            if path != ANSWERS and not path.startswith(MIGRATIONS):
                self.carry(path)
        self.delete_what_the_team_deleted()
        for path in files_of(self.service):
            if path not in self.merged and not path.startswith(MIGRATIONS):
                self.rewrite_own(path)
        migrations = [path for path in files_of(self.service) if path.startswith(MIGRATIONS)]
        own = [path for path in migrations if path not in self.new and path.endswith(".py")]
        self.said += keep_importable(self.service, own, self.moves)
        for path in files_of(self.service):
            if path.endswith(".py") and self.new.get(path) != (self.service / path).read_bytes():
                self.said += missing_imports(self.service, path)
        self.tidy_folders()
        self.said += format_changed(self.service, self.changed)
        return self.said

    # ------------------------------------------------------------------ edited files
    def carry(self, path: str) -> None:
        """Merge the edits of a file of the template into the new file."""
        if module_of(path) in self.moves.kept and path in self.new:
            self.restore(path)
        targets = [found for stem in self.moves.targets(path) if (found := self.new_path(stem))]
        if not targets:
            if not (self.service / path).exists():
                self.said.append(
                    f"{path}: the release removes this file, which you changed."
                    f" `git show HEAD:./{path}` prints it."
                )
            return
        tried = [(target, self.attempt(path, target)) for target in targets]
        attempts = [(target, texts) for target, texts in tried if texts]
        # The edits of a file that was split belong to the part in which they do not conflict.
        attempts.sort(key=lambda attempt: not attempt[1][-1])
        if attempts:
            target, (base, ours, theirs, merged, is_clean) = attempts[0]
            self.write_merged(path, target, base, ours, theirs, merged, is_clean=is_clean)

    def new_path(self, stem: str) -> str | None:
        """Return the path of a module in the new release."""
        names = (stem, f"{stem}.py", f"{stem}/__init__.py")
        return next((name for name in names if name in self.new), None)

    def attempt(self, path: str, target: str) -> tuple[str, str, str, str, bool] | None:
        """Merge a file; return the three versions, the result, and whether it is clean."""
        texts = [
            Text.of(content) for content in (self.old[path], self.head[path], self.new[target])
        ]
        base, ours, theirs = texts
        if base is None or ours is None or theirs is None or not self.may_write(path, target):
            return None
        latest = Text.of(self.merged[target]) if target in self.merged else theirs
        if latest is None or MARKERS.search(latest.text):
            self.said.append(
                f"{target}: your changes of {path} are not merged, because those of another file"
                f" conflict. `git diff HEAD -- {path}` prints them."
            )
            return None
        is_python = target.endswith(".py")
        before, mine = (
            self.rewritten(path, text.text) if is_python else self.moves.rewrite_text(text.text)
            for text in (base, ours)
        )
        merged, is_clean = merge(before, mine, latest.text, is_python=is_python)
        return before, mine, latest.text, merged, is_clean

    def may_write(self, path: str, target: str) -> bool:
        """Whether a target still has the content that Copier wrote."""
        file = self.service / target
        if target == path and (not file.exists() or file.read_bytes() == self.head[path]):
            return False  # Copier skipped the file; `rewrite_own` rewrites it.
        if target != path and target in self.head and target not in self.old:
            self.said.append(
                f"{target}: your file is where the release puts {path}, whose changes are not"
                f" merged. `git diff HEAD -- {path}` prints them."
            )
            return False
        if self.is_first_run or target in self.merged:
            return file.exists()
        if not file.exists() or target != path:
            return file.exists() and file.read_bytes() == self.new[target]
        return file.read_bytes() == self.merged_by_copier(path)

    def merged_by_copier(self, path: str) -> bytes | None:
        texts = [Text.of(content) for content in (self.old[path], self.head[path], self.new[path])]
        base, ours, theirs = [text.text if text else "" for text in texts]
        return merge_lines(base, ours, theirs)[0].encode()

    def rewritten(self, path: str, text: str) -> str:
        """Return the text of a module with new names."""
        module, is_package = module_of(path) or "", path.endswith("/__init__.py")
        return rewrite(text, module, self.moves, is_package=is_package)

    def write_merged(
        self,
        path: str,
        target: str,
        base: str,
        ours: str,
        theirs: str,
        merged: str,
        *,
        is_clean: bool,
    ) -> None:
        style = Text.of(self.head[path]) or Text("")
        file = self.service / target
        self.merged[target] = content = style.encode(merged)
        if file.read_bytes() != content:
            file.write_bytes(content)
            self.changed[target] = self.head[path]
        if self.entries[path][0] == "100755":
            file.chmod(file.stat().st_mode | 0o111)
        if not is_clean:
            mark_unmerged(self.service, target, *map(style.encode, (base, ours, theirs)))
        elif target == path:
            self.mark_merged(path)

    def restore(self, path: str) -> None:
        """Undo Copier's merge of a team's edits into an old path, which has only imports now."""
        if self.is_first_run and (self.service / path).exists():
            (self.service / path).write_bytes(self.new[path])
            self.mark_merged(path)

    def mark_merged(self, path: str) -> None:
        """Remove a conflict from the Git index."""
        if git(self.service, "ls-files", "-u", "--", path):
            prefix = (git(self.service, "rev-parse", "--show-prefix") or b"").decode().strip()
            mode, blob = self.entries[path]
            entry = f"0 {'0' * 40}\t{prefix}{path}\n{mode} {blob} 0\t{prefix}{path}"
            git(self.service, "update-index", "--index-info", given=entry.encode())

    def delete_what_the_team_deleted(self) -> None:
        """Delete the new files of which the team deleted all old files."""
        sources: dict[str, list[str]] = {}
        for path in self.old:
            if module_of(path) in self.moves.modules:
                stem = path_of(self.moves.modules[module_of(path) or ""])
                sources.setdefault(self.new_path(stem) or "", []).append(path)
        for target, paths in sources.items():
            file = self.service / target
            if any(path in self.head for path in paths) or target in self.head:
                continue
            if file.is_file() and file.read_bytes() == self.new[target]:
                file.unlink()

    # ------------------------------------------------------------------ the team's files
    def rewrite_own(self, path: str) -> None:
        """Rewrite a file that differs from the new release."""
        file = self.service / path
        is_python = path.endswith(".py")
        is_text = file.suffix in TEXTS or file.name in NO_SUFFIX
        content = file.read_bytes()
        if path in {ANSWERS, "uv.lock"} or self.new.get(path) == content:
            return
        text = Text.of(content) if is_python or is_text else None
        if text is None:
            return
        if MARKERS.search(text.text):
            if self.moves.rewrite_text(text.text) != text.text:
                self.said.append(
                    f"{path}: has conflicts; replace the old names as you resolve them."
                )
            return
        new = self.rewritten(path, text.text) if is_python else self.moves.rewrite_text(text.text)
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
            if not place.is_dir():
                continue
            left = [each for each in place.iterdir() if each.name != "__pycache__"]
            if not left and package not in self.new:
                shutil.rmtree(place)
            is_kit = package.startswith("src/app/kit/") and package in self.old
            if left and is_kit and package in self.head and package not in self.new:
                (place / "__init__.py").write_bytes(self.head[package])


def committed_files(service: Path) -> tuple[dict[str, bytes], dict[str, tuple[str, str]]]:
    """Return the content of each committed file, and its mode and its blob."""
    listed = (git(service, "ls-tree", "-r", "-z", "HEAD") or b"").decode("utf-8", "surrogateescape")
    entries: dict[str, tuple[str, str]] = {}
    for line in filter(None, listed.split("\0")):
        mode, kind, blob = line.partition("\t")[0].split()
        if kind == "blob" and mode != "120000":
            entries[line.partition("\t")[2]] = mode, blob
    given = "".join(f"{blob}\n" for _, blob in entries.values()).encode()
    output = git(service, "cat-file", "--batch", given=given) or b""
    files: dict[str, bytes] = {}
    for path in entries:
        head, _, output = output.partition(b"\n")
        size = int(head.split()[-1])
        files[path], output = output[:size], output[size + 1 :]
    return files, entries


def files_of(service: Path) -> list[str]:
    """Return the files of the service that Git does not ignore, without symbolic links."""
    listed = git(service, "ls-files", "-z", "--cached", "--others", "--exclude-standard") or b""
    paths = {name for name in listed.decode("utf-8", "surrogateescape").split("\0") if name}
    return sorted(
        path for path in paths if (service / path).is_file() and not (service / path).is_symlink()
    )


if __name__ == "__main__":
    # Before the update, only import the modules: a Python that is too old fails while nothing has
    # changed.
    if os.environ.get("STAGE") != "before":
        for sentence in move(Path.cwd(), is_first_run=os.environ.get("STAGE") == "after"):
            sys.stdout.write(f"{sentence}\n")
