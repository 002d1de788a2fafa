"""Changes of files: shown as a diff, or written with a migration, or not at all."""

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
        place = service.root() / path
        before = place.read_text(encoding="utf-8") if place.exists() else ""
        parts += difflib.unified_diff(
            before.splitlines(keepends=True),
            text.splitlines(keepends=True),
            f"a/{path}" if before else "/dev/null",
            f"b/{path}",
        )
    return "".join(parts)


def check_committed(paths: Iterable[str]) -> None:
    """Raise CommandFailed if Git has uncommitted changes of these files.

    Lines that register other features are none: they are what this command writes.
    """
    changed = [path for path in paths if _is_changed(path)]
    if changed:
        raise CommandFailed(
            f"{', '.join(changed)} has uncommitted changes: commit them first, or pass "
            "--allow-dirty."
        )


def _is_changed(path: str) -> bool:
    try:
        ended = subprocess.run(
            ["git", "diff", "HEAD", "--unified=0", "--no-color", "--", path],  # noqa: S607 - the one on PATH
            cwd=service.root(),
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        # No Git, or no commit.
        return False
    lines = ended.stdout.splitlines()
    changes = [line for line in lines if line[:1] in "+-" and line[:4] not in ("+++ ", "--- ")]
    return not all(_REGISTRATION.fullmatch(line) for line in changes)


@contextmanager
def written(files: Mapping[str, str]) -> Generator[None]:
    """Write files; if the block raises, write the old contents again and remove new migrations."""
    root = service.root()
    before = {path: _bytes_of(root / path) for path in files}
    migrations = set((root / _MIGRATIONS).glob("*.py"))
    folders = [root / path for path in files]
    new = {folder for each in folders for folder in each.parents if not folder.exists()}
    try:
        for path, text in files.items():
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8", newline="\n")
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                (root / path).unlink(missing_ok=True)
            else:
                (root / path).write_bytes(content)
        for migration in set((root / _MIGRATIONS).glob("*.py")) - migrations:
            migration.unlink()
        for folder in sorted(new, reverse=True):
            _remove(folder)
        raise


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _remove(folder: Path) -> None:
    # Python may have written its cache there.
    cache = folder / "__pycache__"
    for file in cache.glob("*.pyc"):
        file.unlink()
    for each in (cache, folder):
        if each.is_dir() and not any(each.iterdir()):
            each.rmdir()
