"""A service in a repository of its own, as a team keeps it."""

import re
from pathlib import Path
from typing import Any

import copier

from tests.rendering import git
from tests.updates.history import IDENTITY

# The team's own from the day that brings them; an update brings no newer text of theirs.
SEEDED = {
    *("AGENTS.md", "README.md", "docs/index.md"),
    *("src/app/features/__init__.py", "tests/features/__init__.py"),
}
MARKERS = re.compile(rb"^(<<<<<<<|=======|>>>>>>>)( |$)", re.MULTILINE)


class Service:
    """What a team does with it; each change is committed, because Copier updates no other."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        if not git(directory, "rev-parse", "--is-inside-work-tree", check=False):
            git(directory, "init")
        self.commit()

    def commit(self) -> None:
        """Commit everything that changed, if anything did."""
        git(self.directory, "add", "--all")
        git(self.directory, *IDENTITY, "commit", "--allow-empty", "--message", "Change")

    def path(self, name: str) -> Path:
        """Where a file is, or would be."""
        return self.directory / name

    def read(self, name: str) -> str:
        """What a file says."""
        return self.path(name).read_text()

    def write(self, name: str, text: str) -> None:
        """Write a file, new or not."""
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(text)
        self.commit()

    def replace(self, name: str, old: str, new: str) -> None:
        """Put one text in the place of another, which must be there once."""
        text = self.read(name)
        assert text.count(old) == 1, f"{name} has {text.count(old)} times: {old}"
        self.write(name, text.replace(old, new))

    def append(self, name: str, text: str) -> None:
        """Add to the end of a file."""
        self.write(name, self.read(name) + text)

    def remove(self, *names: str) -> None:
        """Take files or folders away."""
        git(self.directory, "rm", "-r", "--quiet", *names)
        self.commit()

    def move(self, old: str, new: str) -> None:
        """Give a file or folder another place."""
        self.path(new).parent.mkdir(parents=True, exist_ok=True)
        git(self.directory, "mv", old, new)
        self.commit()

    def into_subfolder(self, folder: str) -> "Service":
        """Move everything into a folder, as in a repository of several services; that service."""
        place = self.directory / folder
        place.mkdir(parents=True)
        for entry in self.directory.iterdir():
            if entry.name != ".git" and entry.name != Path(folder).parts[0]:
                entry.rename(place / entry.name)
        return Service(place)

    def update(self, release: str | None = None, *, trusted: bool = False, **answers: Any) -> None:
        """Bring the newest release, or this one; what it changes stays to be committed."""
        copier.run_update(
            self.directory,
            data=answers,
            vcs_ref=f"v{release}" if release else None,
            defaults=True,
            overwrite=True,
            quiet=True,
            unsafe=trusted,
        )

    def settle_with_ours(self, name: str) -> None:
        """Keep the team's side of every conflict in a file, and what merged around them."""
        text = re.sub(
            r"^<<<<<<< before updating\n(.*?)^=======\n.*?^>>>>>>> after updating\n",
            r"\1",
            self.read(name),
            flags=re.MULTILINE | re.DOTALL,
        )
        self.write(name, text)

    def files(self) -> dict[str, bytes]:
        """The content of all that is not ignored, by name."""
        listed = git(self.directory, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
        names = sorted({name for name in listed.split("\0") if name})
        return {name: self.path(name).read_bytes() for name in names if self.path(name).is_file()}

    def unsettled(self) -> list[str]:
        """The files in conflict: with markers, unmerged, or left over as rejects."""
        unmerged = git(self.directory, "diff", "--name-only", "--diff-filter=U").split()
        marked = [
            name
            for name, content in self.files().items()
            if MARKERS.search(content) or name.endswith(".rej")
        ]
        return sorted({*unmerged, *marked})
