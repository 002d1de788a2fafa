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
changes into it, as Copier would have if the name had stayed. Doing it again changes nothing.
"""

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
    answers = yaml.safe_load(git(service, "show", f"HEAD:./{ANSWERS}") or "{}")
    with TemporaryDirectory() as place:
        base, theirs = Path(place, "base", old), Path(place, "theirs")
        render(answers, Path(place, "base"))
        if not base.exists() or not (service / new).exists():
            return
        if ours is None:
            # The team had taken it away.
            (service / new).unlink()
            return
        theirs.write_bytes((service / new).read_bytes())
        if theirs.read_text() == ours or base.read_text() == ours:
            return
        (service / new).write_text(ours)
        labels = ["-L", "before updating", "-L", "last update", "-L", "after updating"]
        git(service, "merge-file", *labels, new, str(base), str(theirs))


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


def git(directory: Path, *arguments: str) -> str | None:
    """What Git prints; nothing where it knows of no such file, or leaves conflicts."""
    command = ["git", "-C", str(directory), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.stdout if ended.returncode == 0 else None


if __name__ == "__main__":
    rename(Path.cwd(), *sys.argv[1:])
