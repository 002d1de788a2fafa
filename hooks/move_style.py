"""Sort the imports of changed files with the service's ruff; format those that were formatted."""

import os
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
    # The rules before the imports are sorted: sorting can change the length of a statement.
    formatted = formatted_before(service, ruff, {path: changed[path] for path in paths})
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


def format_like(
    service: Path, files: dict[str, bytes], own: str, texts: tuple[str, ...]
) -> tuple[str, ...]:
    """Format texts with the settings in the files, if they format the team's own text so.

    Otherwise, return nothing.
    """
    ruff = find_ruff(service)
    with TemporaryDirectory() as place:
        for name in files.keys() & {*CONFIGURATION}:
            Path(place, name).write_bytes(files[name])
        command = [ruff or "", "format", "--no-cache", "--stdin-filename", "module.py", "-"]

        def formatted(text: str) -> str:
            return subprocess.run(
                command, cwd=place, input=text.encode(), capture_output=True, check=False
            ).stdout.decode()

        found = tuple(map(formatted, texts)) if ruff and formatted(own) == own else ()
    return found if all(found) else ()


def formatted_before(service: Path, ruff: str, files: dict[str, bytes]) -> list[str]:
    """Return the files that were formatted before they changed."""
    with TemporaryDirectory() as place:
        for name in CONFIGURATION:
            if (service / name).exists():
                shutil.copy(service / name, place)
        for path, content in files.items():
            Path(place, path).parent.mkdir(parents=True, exist_ok=True)
            Path(place, path).write_bytes(content)
        check = [ruff, "format", "--check", "--no-cache", *files]
        ended = subprocess.run(check, cwd=place, capture_output=True, encoding="utf-8", check=False)
    if ended.returncode not in {0, 1}:
        return []
    words = "Would reformat: "
    lines = ended.stdout.splitlines()
    other = {line.removeprefix(words).replace(os.sep, "/") for line in lines if words in line}
    return [path for path in files if path not in other]
