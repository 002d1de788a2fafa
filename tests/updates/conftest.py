"""Fixtures: the template with all its releases, and services from one of them."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import copier
import pytest

from tests.rendering import cached_jinja_templates, without_git_mode_sync
from tests.updates.history import NEXT, Template, template_with_history
from tests.updates.next_release import change_every_kind_of_file
from tests.updates.service import Service

# Generates a service from a release: `service_at("0.1.0", pk_type="int")`.
ServiceFactory = Callable[..., Service]


@pytest.fixture(scope="session", autouse=True)
def cached_templates() -> Iterator[None]:
    """Cache compiled templates, because updates render the same releases many times."""
    with cached_jinja_templates(), without_git_mode_sync():
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template with every release, and the working tree as the newest."""
    return template_with_history(tmp_path_factory.mktemp("history") / "template")


@pytest.fixture(scope="session")
def template_with_next(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template with one more release, NEXT, which changes every kind of file."""
    template = template_with_history(tmp_path_factory.mktemp("future") / "template")
    with template.release(NEXT) as directory:
        change_every_kind_of_file(directory)
    return template


@pytest.fixture(scope="session")
def rendering(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Render a release once for each set of answers. Do not change the result."""
    known: dict[str, Path] = {}

    def render(template: Template, version: str, **answers: Any) -> Path:
        key = json.dumps([str(template.directory), version, answers], sort_keys=True)
        if key not in known:
            known[key] = tmp_path_factory.mktemp("release") / "service"
            copier.run_copy(
                str(template.directory),
                known[key],
                data=answers,
                vcs_ref=f"v{version}",
                defaults=True,
                quiet=True,
            )
        return known[key]

    return render


@pytest.fixture
def service_at(
    template: Template, rendering: Callable[..., Path], tmp_path: Path
) -> ServiceFactory:
    """Generate a service from a release; it can be updated to the working tree."""

    def start(version: str, **answers: Any) -> Service:
        return Service(
            Path(shutil.copytree(rendering(template, version, **answers), tmp_path / "service"))
        )

    return start


@pytest.fixture
def service_before_next(
    template_with_next: Template, rendering: Callable[..., Path], tmp_path: Path
) -> ServiceFactory:
    """Generate a service from a release; it can be updated to the release NEXT."""

    def start(version: str, **answers: Any) -> Service:
        source = rendering(template_with_next, version, **answers)
        return Service(Path(shutil.copytree(source, tmp_path / "service")))

    return start
