"""File changes: shown as a diff, or written, and undone if a later step fails."""

import difflib
import re
import subprocess
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.kit.cli.errors import CommandFailed
from scaffold import service

_MIGRATIONS = "migrations/versions"
_REGISTRATION = re.compile(r"\+(from app\.features\.\w+\.router import router as \w+|    \w+,)")


def read(path: str) -> str:
    """Return the text of a file of the service; raises CommandFailed if there is none."""
    try:
        return (service.root() / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{path} cannot be read: {error}.") from error


def diff(files: Mapping[str, str]) -> str:
    """Return the changes as a unified diff."""
    parts: list[str] = []
    for path, text in files.items():
        file = service.root() / path
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        parts += difflib.unified_diff(
            before.splitlines(keepends=True),
            text.splitlines(keepends=True),
            f"a/{path}" if before else "/dev/null",
            f"b/{path}",
        )
    return "".join(parts)


def check_committed(paths: Iterable[str]) -> None:
    """Raise CommandFailed if one of these files has uncommitted changes.

    Lines that register other features are allowed, because an earlier run of this command wrote
    them.
    """
    changed = [path for path in paths if _has_uncommitted_changes(path)]
    if changed:
        raise CommandFailed(
            f"{', '.join(changed)} has uncommitted changes: commit them first, or pass "
            "--allow-dirty."
        )


def _has_uncommitted_changes(path: str) -> bool:
    try:
        result = subprocess.run(
            ["git", "diff", "HEAD", "--unified=0", "--no-color", "--", path],  # noqa: S607 - the one on PATH
            cwd=service.root(),
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        # No Git, or no commit.
        return False
    lines = result.stdout.splitlines()
    changes = [line for line in lines if line[:1] in "+-" and line[:4] not in ("+++ ", "--- ")]
    return not all(_REGISTRATION.fullmatch(line) for line in changes)


@contextmanager
def write_or_restore(files: Mapping[str, str]) -> Generator[None]:
    """Write files; if the block raises, restore the old files and remove new migrations."""
    root = service.root()
    before = {path: _read_bytes(root / path) for path in files}
    migrations = set((root / _MIGRATIONS).glob("*.py"))
    parents = {folder for path in files for folder in (root / path).parents}
    new_folders = {folder for folder in parents if not folder.exists()}
    try:
        for path, text in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                (root / path).unlink(missing_ok=True)
            else:
                (root / path).write_bytes(content)
        for migration in set((root / _MIGRATIONS).glob("*.py")) - migrations:
            migration.unlink()
        for folder in sorted(new_folders, reverse=True):
            _remove_if_empty(folder)
        raise


def _read_bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _remove_if_empty(folder: Path) -> None:
    # Python may have written its bytecode cache there.
    cache = folder / "__pycache__"
    for file in cache.glob("*.pyc"):
        file.unlink()
    for each in (cache, folder):
        if each.is_dir() and not any(each.iterdir()):
            each.rmdir()
