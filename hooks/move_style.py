"""Sort the imports of changed files with the service's ruff; format those that were formatted."""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from hooks.move_merge import MARKERS, Text

CONFIGURATION = ("pyproject.toml", "ruff.toml", ".ruff.toml")
ADVICE = "`uv run ruff check --select I --fix && uv run ruff format`"


def format_changed(service: Path, changed: dict[str, bytes]) -> list[str]:
    """Format changed files, given their content before the change; return what is left to do."""
    paths = [path for path in changed if path.endswith(".py") and is_resolved(service / path)]
    if not paths:
        return []
    ruff = find_ruff(service)
    if ruff is None:
        return [f"The imports of {len(paths)} files may be unsorted: run {ADVICE}."]
    # Before the imports are sorted: sorting can change the length of a statement.
    formatted = [
        path for path in paths if format_code(ruff, service, path, changed[path]) == changed[path]
    ]
    sort = [ruff, "check", "--quiet", "--select", "I", "--fix", "--exit-zero", *paths]
    ended = subprocess.run(sort, cwd=service, capture_output=True, check=False)
    if ended.returncode == 0 and formatted:
        write = [ruff, "format", "--quiet", *formatted]
        ended = subprocess.run(write, cwd=service, capture_output=True, check=False)
    return [] if ended.returncode == 0 else [f"ruff failed: resolve conflicts, then run {ADVICE}."]


def is_resolved(file: Path) -> bool:
    """Whether a file has no conflict markers."""
    text = Text.of(file.read_bytes())
    return text is not None and not MARKERS.search(text.text)


def find_ruff(service: Path) -> str | None:
    """Return the ruff of the service's environment, or another."""
    programs = (service / ".venv" / name for name in ("bin/ruff", "Scripts/ruff.exe"))
    return next((str(each) for each in programs if each.exists()), shutil.which("ruff"))


def format_code(ruff: str, directory: Path, path: str, code: bytes) -> bytes:
    """Return formatted code, with the settings in a directory; or nothing if ruff fails."""
    command = [ruff, "format", "--no-cache", "--stdin-filename", path, "-"]
    ended = subprocess.run(command, cwd=directory, input=code, capture_output=True, check=False)
    return ended.stdout


def format_like(
    service: Path, files: dict[str, bytes], own: str, texts: tuple[str, ...]
) -> tuple[str, ...]:
    """Format texts with the settings in the files, if they format the team's own text so.

    Otherwise, return nothing.
    """
    ruff = find_ruff(service)
    if ruff is None:
        return ()
    with TemporaryDirectory() as place:
        for name in files.keys() & {*CONFIGURATION}:
            Path(place, name).write_bytes(files[name])
        same, *found = (
            format_code(ruff, Path(place), "module.py", text.encode()).decode()
            for text in (own, *texts)
        )
    return tuple(found) if same == own and all(found) else ()
