"""The checks that a service gives its CI, before any CI has seen them."""

import sys
from pathlib import Path

import pytest
import yaml

from tests.processes import UV, succeed
from tests.rendering import Copy, Renderer

PROGRAMS = Path(sys.executable).parent
AUDIT = "uvx pip-audit@"


def test_the_workflows_are_sound_and_ask_for_no_more_than_they_need(render: Renderer) -> None:
    succeed(PROGRAMS / "zizmor", "--offline", "--no-progress", ".", cwd=render())


@pytest.mark.parametrize(
    ("ci", "schema", "files"),
    [
        (
            "github",
            "github-workflows",
            [".github/workflows/ci.yml", ".github/workflows/template.yml"],
        ),
        ("gitlab", "gitlab-ci", [".gitlab-ci.yml"]),
    ],
)
def test_the_configuration_has_the_form_that_its_server_reads(
    render: Renderer, ci: str, schema: str, files: list[str]
) -> None:
    check = PROGRAMS / "check-jsonschema"

    succeed(check, "--builtin-schema", f"vendor.{schema}", *files, cwd=render(ci=ci))


def test_both_servers_audit_the_same_dependencies_in_the_same_way(render: Renderer) -> None:
    assert commands_of_github(render()) == commands_of_gitlab(render(ci="gitlab"))


@pytest.mark.slow
def test_what_is_audited_is_every_package_of_the_lock_with_its_hash(service: Copy) -> None:
    place = service()
    export, audit = commands_of_github(place)

    succeed(UV, *export.split()[1:], cwd=place)
    # All but the question to the registry, which is asked where there is one.
    words = audit.removeprefix("uvx ").split()[1:]
    dry = succeed(PROGRAMS / "pip-audit", *words, "--dry-run", cwd=place)

    locked = (place / "uv.lock").read_text().count("[[package]]")
    assert (place / "audited.txt").read_text().count("==") >= locked - 1
    assert "would have audited" in dry.stdout


def commands_of_github(service: Path) -> list[str]:
    """What the job runs, its tool installed."""
    workflow = yaml.safe_load((service / ".github/workflows/ci.yml").read_text())
    runs = [step["run"] for step in workflow["jobs"]["audit"]["steps"] if "run" in step]
    return [run for run in runs if run.startswith("uv")]


def commands_of_gitlab(service: Path) -> list[str]:
    """What the job runs, its tool installed."""
    script: list[str] = yaml.safe_load((service / ".gitlab-ci.yml").read_text())["audit"]["script"]
    return script
