"""The Git repository of a service."""

import os
import subprocess
from pathlib import Path

ANSWERS = ".copier-answers.yml"


def git(directory: Path, *arguments: str, given: bytes | None = None) -> bytes | None:
    """Run Git; return its output, or None if the command fails."""
    command = ["git", "-C", str(directory), *arguments]
    result = subprocess.run(command, capture_output=True, input=given, check=False)
    return result.stdout if result.returncode == 0 else None


def listed(service: Path, *arguments: str) -> list[str]:
    """Return the lines of a Git command that ends each line with a null character."""
    output = (git(service, *arguments) or b"").decode("utf-8", "surrogateescape")
    return [line for line in output.split("\0") if line]


def committed_files(service: Path) -> tuple[dict[str, bytes], set[str]]:
    """Return the content of each committed file, and the names of executable files."""
    lines = [line.partition("\t") for line in listed(service, "ls-tree", "-r", "-z", "HEAD")]
    entries = {path: head.split() for head, _, path in lines if head.startswith("100")}
    given = "".join(f"{blob}\n" for _, _, blob in entries.values()).encode()
    output = git(service, "cat-file", "--batch", given=given) or b""
    files: dict[str, bytes] = {}
    for path in entries:
        head, _, output = output.partition(b"\n")
        size = int(head.split()[-1])
        files[path], output = output[:size], output[size + 1 :]
    return files, {path for path, (mode, *_) in entries.items() if mode == "100755"}


def files_of(service: Path) -> list[str]:
    """Return the files of the service that Git does not ignore, without symbolic links."""
    paths = {*listed(service, "ls-files", "-z", "--cached", "--others", "--exclude-standard")}
    return sorted(
        path for path in paths if (service / path).is_file() and not (service / path).is_symlink()
    )


def unmerged_files(service: Path) -> list[str]:
    """Return the files with conflicts."""
    entries = listed(service, "ls-files", "--unmerged", "-z")
    return list(dict.fromkeys(entry.partition("\t")[2] for entry in entries))


def mark_unmerged(service: Path, name: str, *versions: bytes) -> None:
    """Add three versions of a file (base, ours, theirs) to the Git index, as `git merge` does."""
    mode = "100755" if os.access(service / name, os.X_OK) else "100644"
    # `--index-info` expects paths relative to the top of the repository.
    prefix = (git(service, "rev-parse", "--show-prefix") or b"").decode().rstrip("\n")
    entries = [f"0 {'0' * 40}\t{prefix}{name}"]
    for stage, content in enumerate(versions, start=1):
        blob = (git(service, "hash-object", "-w", "--stdin", given=content) or b"").decode().strip()
        entries.append(f"{mode} {blob} {stage}\t{prefix}{name}")
    git(service, "update-index", "--index-info", given="\n".join(entries).encode())


def mark_merged(service: Path, name: str) -> None:
    """Remove a conflict from the Git index."""
    if name in unmerged_files(service):
        git(service, "reset", "--quiet", "--", name)
