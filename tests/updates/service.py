"""A service in a Git repository."""

import re
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import copier

from tests.rendering import git
from tests.updates.fast_copier import run_script
from tests.updates.history import IDENTITY

# Files that the template creates once. An update never changes them.
SEEDED = {
    *("AGENTS.md", "README.md", "docs/index.md"),
    *(".editorconfig", ".gitattributes", "zensical.toml"),
    *("src/app/features/__init__.py", "tests/features/__init__.py"),
}
MARKERS = re.compile(rb"^(<<<<<<<|=======|>>>>>>>)( |$)", re.MULTILINE)


class Service:
    """Changes and updates a service. Commits each change, as Copier requires."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        if not git(directory, "rev-parse", "--is-inside-work-tree", check=False):
            git(directory, "init")
        self.commit()

    def commit(self) -> None:
        """Commit all changes."""
        git(self.directory, "add", "--all")
        git(self.directory, *IDENTITY, "commit", "--allow-empty", "--message", "Change")

    def path(self, name: str) -> Path:
        """Return the absolute path of a file."""
        return self.directory / name

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return self.path(name).read_text()

    def write(self, name: str, text: str) -> None:
        """Write and commit a file."""
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(text)
        self.commit()

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a text that occurs exactly once in a file."""
        text = self.read(name)
        assert text.count(old) == 1, f"{name} contains {text.count(old)} times: {old}"
        self.write(name, text.replace(old, new))

    def append(self, name: str, text: str) -> None:
        """Append to a file."""
        self.write(name, self.read(name) + text)

    def remove(self, *names: str) -> None:
        """Remove files or folders."""
        git(self.directory, "rm", "-r", "--quiet", *names)
        self.commit()

    def move(self, old: str, new: str) -> None:
        """Move a file or folder."""
        self.path(new).parent.mkdir(parents=True, exist_ok=True)
        git(self.directory, "mv", old, new)
        self.commit()

    def into_subfolder(self, folder: str) -> "Service":
        """Move the service into a folder of the repository; return the moved service."""
        target = self.directory / folder
        target.mkdir(parents=True)
        for entry in self.directory.iterdir():
            if entry.name != ".git" and entry.name != Path(folder).parts[0]:
                entry.rename(target / entry.name)
        return Service(target)

    def update(
        self,
        release: str | None = None,
        *,
        trusted: bool = True,
        skip_answered: bool = False,
        **answers: Any,
    ) -> None:
        """Update to a release, by default the newest, without committing the changes.

        Releases 0.11.0 and 0.12.0 need `--trust`.
        """
        copier.run_update(
            self.directory,
            data=answers,
            vcs_ref=f"v{release}" if release else None,
            defaults=True,
            overwrite=True,
            quiet=True,
            skip_answered=skip_answered,
            unsafe=trusted,
        )

    def run_script(self, script: Path) -> str:
        """Run a script of hooks/ by hand, after an update; return its output."""
        with chdir(self.directory), redirect_stdout(StringIO()) as output:
            run_script(script, {})
        return output.getvalue()

    def resolve_with_ours(self, name: str) -> None:
        """Resolve every conflict in a file with the team's side."""
        text = re.sub(
            r"^<<<<<<< before updating\n(.*?)^=======\n.*?^>>>>>>> after updating\n",
            r"\1",
            self.read(name),
            flags=re.MULTILINE | re.DOTALL,
        )
        self.write(name, text)

    def files(self) -> dict[str, bytes]:
        """Return the content of all files that Git does not ignore, by name."""
        listed = git(self.directory, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
        names = sorted({name for name in listed.split("\0") if name})
        return {name: self.path(name).read_bytes() for name in names if self.path(name).is_file()}

    def conflicts(self) -> list[str]:
        """Return the files in conflict: with conflict markers, unmerged, or `.rej` files."""
        unmerged = git(self.directory, "diff", "--name-only", "--diff-filter=U").split()
        marked = [
            name
            for name, content in self.files().items()
            if MARKERS.search(content) or name.endswith(".rej")
        ]
        return sorted({*unmerged, *marked})
