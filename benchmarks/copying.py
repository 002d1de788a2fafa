"""What `copier copy` of the default service costs, next to what Copier itself needs for it.

    uv run python -m benchmarks.copying

The floor is a template of the very files that the service gets: no question, no Jinja, no
condition. Both are copied from a Git repository, as a user does, and from a plain directory; turn
by turn, each by a new process. What it finds goes into docs/copying.md. `--profile` shows instead
where the time of one copy goes.
"""

import argparse
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.metadata import version
from itertools import product
from pathlib import Path
from statistics import median

from benchmarks import ROOT
from benchmarks.__main__ import cpu_model, tell
from benchmarks.report import BEGIN, END
from tests.rendering import VERSION, copy_of_working_tree, files_under, git, render_from

PAGE = ROOT / "docs" / "copying.md"
SOURCES = ("a Git repository", "a plain directory")
KINDS = ("service", "floor")


def main() -> None:
    """Measure, and write what was found into docs/copying.md."""
    asked = argparse.ArgumentParser(description="copier copy against its floor")
    asked.add_argument("--rounds", type=int, default=9)
    asked.add_argument("--profile", action="store_true", help="show where the time goes")
    given = asked.parse_args()
    # As on Ctrl-C: by way of every `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    place = Path(tempfile.mkdtemp(prefix="copying-"))
    try:
        templates, files = prepare(place)
        if given.profile:
            profile(templates["service", SOURCES[0]], place / "profiled")
            return
        load = os.getloadavg()[0]
        taken: dict[tuple[str, str], list[float]] = {of: [] for of in templates}
        # The first round warms up.
        for turn in range(given.rounds + 1):
            for of, template in templates.items():
                taken[of].append(copy(template, place / "copied"))
            told = (
                f"{kind} from {source} {taken[kind, source][-1]:.2f} s" for kind, source in taken
            )
            tell(f"round {turn}: {', '.join(told)}")
        write({of: seconds[1:] for of, seconds in taken.items()}, files, load)
        tell(f"written: {PAGE}")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def prepare(place: Path) -> tuple[dict[tuple[str, str], Path], int]:
    """The templates, by kind and source; and how many files each gives."""
    plain = {kind: place / kind for kind in KINDS}
    copy_of_working_tree(plain["service"])
    render_from(plain["service"], plain["floor"] / "template")
    (plain["floor"] / "copier.yml").write_text("_subdirectory: template\n")
    templates = {}
    for kind, source in product(KINDS, SOURCES):
        template = plain[kind]
        if source == SOURCES[0]:
            template = place / f"{kind}.git"
            shutil.copytree(plain[kind], template)
            git(template, "init")
            git(template, "add", "--all", "--force")
            who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
            git(template, *who, "commit", "-m", "All")
            git(template, "tag", f"v{VERSION}")
        templates[kind, source] = template
    return templates, len(files_under(plain["floor"] / "template"))


def copy(template: Path, destination: Path) -> float:
    """Seconds of CPU of one copy, with the programs that it runs: others at work change it less."""
    before = os.times()
    subprocess.run(command(template, destination), check=True, capture_output=True)
    after = os.times()
    shutil.rmtree(destination)
    used = (after.children_user, after.children_system)
    return sum(used) - before.children_user - before.children_system


def command(template: Path, destination: Path, *through: str) -> list[str]:
    """What a user types."""
    words = ["-m", "copier", "copy", "--defaults", "--quiet", str(template), str(destination)]
    return [sys.executable, *through, *words]


def profile(template: Path, destination: Path) -> None:
    """Print the functions of one copy that take the longest."""
    subprocess.run(command(template, destination, "-m", "cProfile", "-s", "cumulative"), check=True)


def write(taken: dict[tuple[str, str], list[float]], files: int, load: float) -> None:
    """Replace what the page said before."""
    told = git(ROOT, "--version")
    lines = [
        f"- copier {version('copier')}, Python {platform.python_version()}, {told.strip()}",
        f"- {cpu_model()}; load average before it began: {load:.1f}",
        f"- {files} files; medians of {len(next(iter(taken.values())))} rounds, in seconds of CPU",
        "",
        "| copied from | this template | the floor | ratio, round by round |",
        "|---|--:|--:|--:|",
    ]
    for source in SOURCES:
        service, floor = (taken[kind, source] for kind in KINDS)
        ratio = median(ours / theirs for ours, theirs in zip(service, floor, strict=True))
        lines.append(f"| {source} | {median(service):.2f} | {median(floor):.2f} | {ratio:.2f} |")
    text = PAGE.read_text()
    measured = "\n\n" + "\n".join(lines) + "\n\n"
    pattern = re.compile(f"(?<={BEGIN}).*(?={END})", re.DOTALL)
    PAGE.write_text(pattern.sub(lambda _found: measured, text))


if __name__ == "__main__":
    main()
