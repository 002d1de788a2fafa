"""Bring along what a team changed in a file to which a release gives another name.

For a migration of that release, in copier.yml:

    _migrations:
      - version: 0.4.0
        when: "{{ _stage == 'after' }}"
        command:
          - "{{ _copier_python }}"
          - "{{ _copier_conf.src_path }}/hooks/rename.py"
          - OLD
          - NEW

Copier takes the old file away, with the team's changes, and writes the new one. This merges the
changes into it, as Copier would have if the name had stayed. A conflict is one for Git as well: the
file has markers, and the index has its three versions. Doing it again changes nothing.
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
    """Merge the changes to the old file, as committed, into the new one; names are relative."""
    ours = git(service, "show", f"HEAD:./{old}")
    answers = yaml.safe_load(git(service, "show", f"HEAD:./{ANSWERS}") or b"{}")
    with TemporaryDirectory() as place:
        base, target = Path(place, "base", old), service / new
        render(answers, Path(place, "base"))
        if not base.exists() or not target.exists() or git(service, "ls-files", "-u", "--", new):
            return
        if ours is None:
            # The team had taken it away.
            target.unlink()
            return
        if ours not in (target.read_bytes(), base.read_bytes()):
            merge(service, new, base.read_bytes(), ours, target.read_bytes())


def merge(service: Path, name: str, base: bytes, ours: bytes, theirs: bytes) -> None:
    """Merge the three versions of a file into it; what conflicts is unmerged for Git."""
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
    """Put the three versions into the index, as `git merge` does: Git then lists the conflict."""
    mode = "100755" if os.access(service / name, os.X_OK) else "100644"
    # `--index-info` takes names from the top of the repository, of which this may be a folder.
    prefix = (git(service, "rev-parse", "--show-prefix") or b"").decode().rstrip("\n")
    entries = [f"0 {'0' * 40}\t{prefix}{name}"]
    for stage, content in enumerate((base, ours, theirs), start=1):
        blob = (git(service, "hash-object", "-w", "--stdin", given=content) or b"").decode().strip()
        entries.append(f"{mode} {blob} {stage}\t{prefix}{name}")
    git(service, "update-index", "--index-info", given="\n".join(entries).encode())


def render(answers: dict[str, Any], place: Path) -> None:
    """The service as the release that it had generates it."""
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
    """What Git prints; nothing where it knows of no such file, or leaves conflicts."""
    command = ["git", "-C", str(directory), *arguments]
    ended = subprocess.run(command, capture_output=True, input=given, check=False)
    return ended.stdout if ended.returncode == 0 else None


if __name__ == "__main__":
    rename(Path.cwd(), *sys.argv[1:])
