"""Compare the CPU time of `copier copy` with a baseline.

    uv run python -m benchmarks.copying

The baseline is a template of the same files without questions and Jinja. Both are copied from a Git
repository, as users do, and from a plain directory, alternately, each in a new process. The results
go into docs/copying.md. `--profile` profiles one copy instead.
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
from benchmarks.__main__ import cpu_model, log_progress
from benchmarks.report import BEGIN, END
from tests.rendering import VERSION, copy_of_working_tree, files_under, git, render_from

PAGE = ROOT / "docs" / "copying.md"
SOURCES = ("a Git repository", "a plain directory")
KINDS = ("service", "baseline")


def main() -> None:
    """Measure, and write the results into docs/copying.md."""
    parser = argparse.ArgumentParser(description="copier copy compared with a baseline")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--profile", action="store_true", help="profile one copy")
    arguments = parser.parse_args()
    # As Ctrl-C does: run every `finally` block.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    directory = Path(tempfile.mkdtemp(prefix="copying-"))
    try:
        templates, files = install(directory)
        if arguments.profile:
            profile(templates["service", SOURCES[0]], directory / "profiled")
            return
        load = os.getloadavg()[0]
        cpu_times: dict[tuple[str, str], list[float]] = {key: [] for key in templates}
        # The first round is a warm-up.
        for round_number in range(arguments.rounds + 1):
            for key, template in templates.items():
                cpu_times[key].append(copy(template, directory / "copied"))
            times = (
                f"{kind} from {source} {cpu_times[kind, source][-1]:.2f} s"
                for kind, source in cpu_times
            )
            log_progress(f"round {round_number}: {', '.join(times)}")
        write({key: seconds[1:] for key, seconds in cpu_times.items()}, files, load)
        log_progress(f"written: {PAGE}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def install(directory: Path) -> tuple[dict[tuple[str, str], Path], int]:
    """Create the templates; return them by kind and source, and the number of files of each."""
    plain = {kind: directory / kind for kind in KINDS}
    copy_of_working_tree(plain["service"])
    render_from(plain["service"], plain["baseline"] / "template")
    (plain["baseline"] / "copier.yml").write_text("_subdirectory: template\n")
    templates = {}
    for kind, source in product(KINDS, SOURCES):
        template = plain[kind]
        if source == SOURCES[0]:
            template = directory / f"{kind}.git"
            shutil.copytree(plain[kind], template)
            git(template, "init")
            git(template, "add", "--all", "--force")
            identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
            git(template, *identity, "commit", "-m", "All")
            git(template, "tag", f"v{VERSION}")
        templates[kind, source] = template
    return templates, len(files_under(plain["baseline"] / "template"))


def copy(template: Path, destination: Path) -> float:
    """Return the CPU seconds of one copy, including subprocesses."""
    before = os.times()
    subprocess.run(command(template, destination), check=True, capture_output=True)
    after = os.times()
    shutil.rmtree(destination)
    seconds = (after.children_user, after.children_system)
    return sum(seconds) - before.children_user - before.children_system


def command(template: Path, destination: Path, *module: str) -> list[str]:
    """Return the command line of a copy."""
    words = ["-m", "copier", "copy", "--defaults", "--quiet", str(template), str(destination)]
    return [sys.executable, *module, *words]


def profile(template: Path, destination: Path) -> None:
    """Print the functions of one copy, sorted by cumulative time."""
    subprocess.run(command(template, destination, "-m", "cProfile", "-s", "cumulative"), check=True)


def write(cpu_times: dict[tuple[str, str], list[float]], files: int, load: float) -> None:
    """Replace the results on the page."""
    git_version = git(ROOT, "--version").strip()
    rounds = len(next(iter(cpu_times.values())))
    lines = [
        f"- copier {version('copier')}, Python {platform.python_version()}, {git_version}",
        f"- {cpu_model()}; load average before the start: {load:.1f}",
        f"- {files} files; medians of {rounds} rounds, in seconds of CPU time",
        "",
        "| copied from | this template | baseline | median of ratios |",
        "|---|--:|--:|--:|",
    ]
    for source in SOURCES:
        service, baseline = (cpu_times[kind, source] for kind in KINDS)
        ratio = median(ours / theirs for ours, theirs in zip(service, baseline, strict=True))
        lines.append(f"| {source} | {median(service):.2f} | {median(baseline):.2f} | {ratio:.2f} |")
    text = PAGE.read_text()
    measured = "\n\n" + "\n".join(lines) + "\n\n"
    pattern = re.compile(f"(?<={BEGIN}).*(?={END})", re.DOTALL)
    PAGE.write_text(pattern.sub(lambda _found: measured, text))


if __name__ == "__main__":
    main()
