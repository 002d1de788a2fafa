"""Renders services from the working tree, including uncommitted changes."""

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import copier
import copier._main
import copier._template
import pytest
import yaml
from jinja2 import Environment, FileSystemLoader
from jinja2.sandbox import SandboxedEnvironment

from tests.processes import locked

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "template"
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

# The file's name in every release. Copier would render it for each part of each path.
ANSWERS_FILE = Path(".copier-answers.yml")
FILTERS_OF_COPIER = "jinja2_ansible_filters.AnsibleCoreFiltersExtension"

# An answer other than the default for each option.
FLIPPED: dict[str, Any] = {
    "pk_type": "int",
    "lazy_strategy": "select",
    "soft_delete": False,
    "pooler": "pgbouncer",
    "example": False,
    "auth": "oidc",
    "telemetry": True,
    "ci": "gitlab",
    "deploy": "kubernetes",
}

# Renders a service that the test may change: `service(pk_type="int")`.
RenderService = Callable[..., Path]


class Renderer:
    """Renders each set of answers once. Tests must not change the result, only a copy.

    Several processes can use one directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # Not a Git repository: Copier would clone it for each rendering.
        self.template = once(directory / "template", copy_of_working_tree)

    def __call__(self, **answers: Any) -> Path:
        key = sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()[:16]
        return once(self._directory / key, lambda destination: self.into(destination, **answers))

    def into(self, destination: Path, **answers: Any) -> None:
        """Render with defaults and without `--trust`.

        Raises:
            ValueError: An answer is invalid.
        """
        with pytest.MonkeyPatch.context() as patch, cached_jinja_templates():
            # Copier would run Git for every file, even outside of a repository.
            patch.setattr(copier._main, "is_git_available", lambda: False)
            render_from(self.template, destination, **answers)


def once(directory: Path, create: Callable[[Path], object]) -> Path:
    """Create a directory unless another process did; return it."""
    done = directory.with_name(f"{directory.name}.done")
    if not done.exists():
        with locked(directory):
            if not done.exists():
                shutil.rmtree(directory, ignore_errors=True)
                create(directory)
                done.touch()
    return directory


_COMPILED: dict[tuple[str, str | None], Any] = {}
_CONFIGURATIONS: dict[bytes, dict[str, Any]] = {}


@contextmanager
def cached_jinja_templates() -> Iterator[None]:
    """Compile each Jinja template and read each copier.yml once, and render no text without Jinja.

    Otherwise, this takes more than 90 % of the rendering time.
    """
    compile_: Callable[..., Any] = Environment.compile
    render_string: Callable[..., str] = copier._main.Worker._render_string
    load: Callable[[Path], dict[str, Any]] = copier._template.load_template_config

    def compiled(
        environment: Environment,
        source: str,
        name: str | None = None,
        filename: str | None = None,
        **options: bool,
    ) -> Any:
        # Without the file name: each update renders from a new temporary directory.
        key = (source, name)
        if options or key not in _COMPILED:
            _COMPILED[key] = compile_(environment, source, name, filename, **options)
        return _COMPILED[key]

    def rendered(worker: Any, string: str, extra_context: Any = None) -> str:
        # Copier renders each part of each path.
        return render_string(worker, string, extra_context) if "{" in string else string

    def loaded(path: Path) -> dict[str, Any]:
        content = path.read_bytes()
        if content not in _CONFIGURATIONS:
            _CONFIGURATIONS[content] = load(path)
        return deepcopy(_CONFIGURATIONS[content])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copier._template, "load_template_config", loaded)
        patch.setattr(Environment, "compile", compiled)
        patch.setattr(copier._main.Worker, "_render_string", rendered)
        patch.setattr(copier._main.Worker, "answers_relpath", ANSWERS_FILE)
        yield


def project_name_error(project_name: str) -> str:
    """Return the validation error of a project name, without rendering a service."""
    return _render_name_macro("project_name_error", project_name)


def conflicts_with_example(project_name: str) -> bool:
    """Return whether the project name conflicts with a dependency of the example."""
    return _render_name_macro("conflicts_with_example", project_name) != ""


def _render_name_macro(macro: str, project_name: str) -> str:
    jinja = SandboxedEnvironment(loader=FileSystemLoader(ROOT), extensions=[FILTERS_OF_COPIER])
    template = jinja.from_string(
        f"{{% from 'includes/names.jinja' import {macro} %}}{{{{ {macro}(name) }}}}"
    )
    return template.render(name=project_name).strip()


def render_from(source: str | Path, destination: Path, **answers: Any) -> None:
    """Render the template at a path or URL.

    Raises:
        ValueError: An answer is invalid.
    """
    copier.run_copy(str(source), destination, data=answers, defaults=True, unsafe=False, quiet=True)


def repository_of_working_tree(directory: Path) -> Path:
    """Create a Git repository with one tagged commit: the working tree."""
    copy_of_working_tree(directory)
    git(directory, "init")
    git(directory, "add", "--all", "--force")
    git(
        directory,
        "-c",
        "user.name=Test",
        "-c",
        "user.email=test@example.org",
        "commit",
        "-m",
        "All",
    )
    git(directory, "tag", f"v{VERSION}")
    return directory


def copy_of_working_tree(directory: Path) -> Path:
    """Copy the working tree, without ignored files."""
    for name in files_of_working_tree():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    return directory


def files_of_working_tree() -> list[str]:
    """Return relative paths, without ignored and deleted files."""
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    return sorted(name for name in listed.split("\0") if name and (ROOT / name).is_file())


def git(directory: Path, *arguments: str, check: bool = True) -> str:
    """Run Git without user configuration; return its output."""
    isolation = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env={**os.environ, **isolation},
        check=check,
        capture_output=True,
        text=True,
    ).stdout


def files_under(directory: Path) -> dict[str, bytes]:
    """Return the content of each file by its relative POSIX path."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@cache
def questionnaire() -> dict[str, Any]:
    """Return the questions of copier.yml by name, in order, without computed ones."""
    entries: dict[str, Any] = yaml.safe_load((ROOT / "copier.yml").read_text())
    return {
        name: entry
        for name, entry in entries.items()
        if not name.startswith("_") and entry.get("when") is not False
    }


def answers_of(service: Path) -> dict[str, Any]:
    """Return the stored answers of a service."""
    answers: dict[str, Any] = yaml.safe_load((service / ".copier-answers.yml").read_text())
    return answers
