"""Makes Copier faster: an update renders a release five times, each from a new clone."""

import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import copier
import copier._main
import copier._template
import pytest


@contextmanager
def cached_clones() -> Iterator[None]:
    """Clone each release once per process."""
    clone: Callable[..., str] = copier._template.clone
    known: dict[tuple[str, str], str] = {}

    def copied(url: str, ref: str = "HEAD", location: str | None = None) -> str:
        # Not the working tree, which can change.
        if location is None or not ref.startswith("v"):
            return clone(url, ref, location)
        if (url, ref) not in known:
            known[url, ref] = clone(url, ref, tempfile.mkdtemp(dir=cache))
        shutil.copytree(
            known[url, ref], location, symlinks=True, copy_function=os.link, dirs_exist_ok=True
        )
        return location

    with tempfile.TemporaryDirectory() as cache, pytest.MonkeyPatch.context() as patch:
        patch.setattr(copier._template, "clone", copied)
        yield


@contextmanager
def without_git_mode_sync() -> Iterator[None]:
    """Skip the Git command that Copier runs for each file if `core.fileMode` is off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copier._main.Worker, "_sync_git_index_executable_bit", lambda *_: None)
        yield


@contextmanager
def scripts_in_process() -> Iterator[None]:
    """Run the scripts in hooks/ in this process, which has the caches.

    Updates by a `copier` process run them as teams do: `measure_update` in test_moves.py.
    """

    def run(command: list[str], *, env: dict[str, str], **options: Any) -> Any:
        if command[0] != sys.executable:
            return subprocess.run(command, env=env, **options)
        run_script(command[1], env)
        return subprocess.CompletedProcess(command, 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copier._main, "subprocess", SimpleNamespace(run=run))
        yield


def run_script(script: str | Path, variables: dict[str, str]) -> None:
    """Run a script with these environment variables, in the current directory."""
    with pytest.MonkeyPatch.context() as patch, forgotten_hooks():
        # The script adds the folder of its release.
        patch.setattr(sys, "path", [*sys.path])
        for name, value in variables.items():
            patch.setenv(name, value)
        # In the context of the update, `run_copy` would render an update.
        Context().run(runpy.run_path, str(script), run_name="__main__")


@contextmanager
def forgotten_hooks() -> Iterator[None]:
    """Remove the imported modules of hooks/: each release has its own."""
    imported = {name: module for name, module in sys.modules.items() if is_hook(name)}
    for name in imported:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in [name for name in sys.modules if is_hook(name)]:
            del sys.modules[name]
        sys.modules.update(imported)


def is_hook(module: str) -> bool:
    """Return whether a module is in hooks/."""
    return module.partition(".")[0] == "hooks"
