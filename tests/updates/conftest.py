"""Fixtures: the template with all its releases, and services from one of them."""

import json
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import copier
import pytest

from tests.rendering import cached_jinja_templates, once
from tests.updates.fast_copier import cached_clones, scripts_in_process, without_git_mode_sync
from tests.updates.history import NEXT, Template, template_with_history
from tests.updates.next_release import change_every_kind_of_file
from tests.updates.service import Service

# Generates a service from a release: `service_at("0.1.0", pk_type="int")`.
ServiceFactory = Callable[..., Service]


@pytest.fixture(scope="session", autouse=True)
def fast_copier() -> Iterator[None]:
    """Cache clones and templates: updates render the same releases many times."""
    with cached_clones(), cached_jinja_templates(), without_git_mode_sync(), scripts_in_process():
        yield


@pytest.fixture(scope="session")
def template(shared_directory: Path) -> Template:
    """The template with every release, and the working tree as the newest."""
    return Template(once(shared_directory / "history", template_with_history))


@pytest.fixture(scope="session")
def template_with_next(template: Template, shared_directory: Path) -> Template:
    """The template with one more release, NEXT, which changes every kind of file."""

    def create(directory: Path) -> None:
        with Template.clone_of(template, directory).release(NEXT) as files:
            change_every_kind_of_file(files)

    return Template(once(shared_directory / "future", create))


@pytest.fixture(scope="session")
def rendering(shared_directory: Path) -> Callable[..., Path]:
    """Render a release once for each set of answers. Do not change the result."""

    def render(template: Template, version: str, **answers: Any) -> Path:
        def create(destination: Path) -> None:
            copier.run_copy(
                str(template.directory),
                destination,
                data=answers,
                vcs_ref=f"v{version}",
                defaults=True,
                quiet=True,
            )

        key = json.dumps([str(template.directory), version, answers], sort_keys=True)
        name = sha256(key.encode()).hexdigest()[:16]
        return once(shared_directory / "releases" / name, create)

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
