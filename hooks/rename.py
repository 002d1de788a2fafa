"""Merge a team's edits of a file that a release renames.

Add a migration for that release to copier.yml:

    _migrations:
      - version: 0.4.0
        when: "{{ _stage == 'after' }}"
        command:
          - "{{ _copier_python }}"
          - "{{ _copier_conf.src_path }}/hooks/rename.py"
          - OLD
          - NEW

Copier deletes the old file with the team's edits, and writes the new file. This script merges the
edits into the new file. For a conflict, the file has conflict markers, and the Git index has its
three versions. The script is idempotent.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import copier
import yaml

ANSWERS = ".copier-answers.yml"


def rename(service: Path, old: str, new: str) -> None:
    """Merge the committed edits of the old file into the new file; paths are relative."""
    ours = git(service, "show", f"HEAD:./{old}")
    answers = yaml.safe_load(git(service, "show", f"HEAD:./{ANSWERS}") or b"{}")
    with TemporaryDirectory() as place:
        base, target = Path(place, "base", old), service / new
        render(answers, Path(place, "base"))
        if not base.exists() or not target.exists() or git(service, "ls-files", "-u", "--", new):
            return
        if ours is None:
            # The team deleted the file.
            target.unlink()
            return
        if ours not in (target.read_bytes(), base.read_bytes()):
            merge(service, new, base.read_bytes(), ours, target.read_bytes())


def merge(service: Path, name: str, base: bytes, ours: bytes, theirs: bytes) -> None:
    """Merge three versions of a file; mark conflicts as unmerged in the Git index."""
    with TemporaryDirectory() as place:
        for version, content in (("base", base), ("theirs", theirs)):
            Path(place, version).write_bytes(content)
        (service / name).write_bytes(ours)
        labels = ("-L", "before updating", "-L", "last update", "-L", "after updating")
        merged = git(
            service,
            "merge-file",
            *labels,
            name,
            str(Path(place, "base")),
            str(Path(place, "theirs")),
        )
    if merged is None:
        mark_unmerged(service, name, base, ours, theirs)


def mark_unmerged(service: Path, name: str, base: bytes, ours: bytes, theirs: bytes) -> None:
    """Add the three versions to the Git index, as `git merge` does."""
    mode = "100755" if os.access(service / name, os.X_OK) else "100644"
    # `--index-info` expects paths relative to the top of the repository.
    prefix = (git(service, "rev-parse", "--show-prefix") or b"").decode().rstrip("\n")
    entries = [f"0 {'0' * 40}\t{prefix}{name}"]
    for stage, content in enumerate((base, ours, theirs), start=1):
        blob = (git(service, "hash-object", "-w", "--stdin", given=content) or b"").decode().strip()
        entries.append(f"{mode} {blob} {stage}\t{prefix}{name}")
    git(service, "update-index", "--index-info", given="\n".join(entries).encode())


def render(answers: dict[str, Any], place: Path) -> None:
    """Render the service with the release and the answers that it has."""
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


def git(directory: Path, *arguments: str, given: bytes | None = None) -> bytes | None:
    """Run Git; return its output, or None if the command fails."""
    command = ["git", "-C", str(directory), *arguments]
    result = subprocess.run(command, capture_output=True, input=given, check=False)
    return result.stdout if result.returncode == 0 else None


if __name__ == "__main__":
    rename(Path.cwd(), *sys.argv[1:])
