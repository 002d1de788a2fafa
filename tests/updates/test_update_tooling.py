"""The scheduled job, the pre-commit hooks and the message of an update."""

import json
import os
import re
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from tests.processes import UV, run, succeed
from tests.rendering import TEMPLATE, git
from tests.services import Interpreter
from tests.updates.conftest import ServiceFactory
from tests.updates.history import CURRENT, NEXT, Template
from tests.updates.next_release import CHANGED_KIT_FILE
from tests.updates.service import Service

pytestmark = pytest.mark.slow

UPDATING = (TEMPLATE / "docs/updating.md.jinja").read_text()

GH_PROGRAM = """#!{python}
import json, sys
open({log!r}, "a").write(json.dumps(sys.argv[1:]) + "\\n")
"""


class GitHost:
    """A Git host: a repository to push to, and a `gh` command that logs its arguments."""

    def __init__(
        self, directory: Path, service: Service, workflow: str = ".github/workflows/template.yml"
    ) -> None:
        self._service = service
        self._workflow = workflow
        self._branch = git(service.directory, "branch", "--show-current").strip()
        self.origin = directory / "origin.git"
        self._log = directory / "calls"
        self._programs = directory / "programs"
        self._programs.mkdir()
        gh = self._programs / "gh"
        gh.write_text(GH_PROGRAM.format(python=sys.executable, log=str(self._log)))
        gh.chmod(0o755)
        (self._programs / "uvx").symlink_to(Path(UV).with_name("uvx"))
        git(directory, "clone", "--bare", str(service.directory), str(self.origin))
        git(service.directory, "remote", "add", "origin", str(self.origin))

    def run_job(self, *, fails: bool = False) -> str:
        """Run the scheduled job (on GitHub, its last step); return the output."""
        directory = self._service.directory
        if self._service.path(".gitlab-ci.yml").exists():
            job = yaml.safe_load(self._service.read(".gitlab-ci.yml"))["template"]
            script = "\n".join(job["script"])
        else:
            workflow = yaml.safe_load(self._service.read(self._workflow))
            script = workflow["jobs"]["update"]["steps"][-1]["run"]
            defaults = workflow.get("defaults", {"run": {"working-directory": "."}})
            directory = directory / defaults["run"]["working-directory"]
        path = os.pathsep.join([str(self._programs), os.environ["PATH"]])
        shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
        result = run(*shell, cwd=directory, PATH=path)
        assert (result.returncode == 0) is not fails, result.stdout
        git(self._service.directory, "switch", "--quiet", self._branch)
        return result.stdout

    def gh_calls(self) -> list[list[str]]:
        """Return the arguments of each `gh` call."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [json.loads(line) for line in lines]


def test_scheduled_job_opens_one_pull_request(
    service_before_next: ServiceFactory, tmp_path: Path
) -> None:
    service = service_before_next(CURRENT)
    first, rest = service.read(CHANGED_KIT_FILE).split("\n", 1)
    service.write(CHANGED_KIT_FILE, f"{first}\n# ours\n{rest}")
    host = GitHost(tmp_path, service)

    host.run_job()
    assert f"The branch template-{NEXT} already has this release" in host.run_job()

    [call] = host.gh_calls()
    assert call[:4] == ["pr", "create", "--head", f"template-{NEXT}"]
    assert f"Conflicts to resolve: {CHANGED_KIT_FILE}" in call[-1]
    pushed = git(host.origin, "show", f"template-{NEXT}:.copier-answers.yml")
    assert f"_commit: v{NEXT}" in pushed


def test_scheduled_job_works_in_subfolder(
    service_before_next: ServiceFactory, tmp_path: Path
) -> None:
    service = service_before_next(CURRENT)
    first, rest = service.read(CHANGED_KIT_FILE).split("\n", 1)
    service.write(CHANGED_KIT_FILE, f"{first}\n# ours\n{rest}")
    service.into_subfolder("services/orders")
    # The steps of docs/updating.md.
    moved = ".github/workflows/template-orders.yml"
    service.move("services/orders/.github/workflows/template.yml", moved)
    [added] = re.findall(r"```yaml\n(.*?)```", UPDATING, re.DOTALL)
    service.append(moved, f"\n{textwrap.dedent(added)}")
    service.commit()
    host = GitHost(tmp_path, service, moved)

    host.run_job()

    [call] = host.gh_calls()
    assert f"Conflicts to resolve: services/orders/{CHANGED_KIT_FILE}" in call[-1]
    pushed = git(host.origin, "show", f"template-{NEXT}:services/orders/.copier-answers.yml")
    assert f"_commit: v{NEXT}" in pushed


def test_scheduled_job_reports_no_newer_release(service_at: ServiceFactory, tmp_path: Path) -> None:
    service = service_at(CURRENT)
    host = GitHost(tmp_path, service)

    assert "The service is up to date." in host.run_job()
    assert host.gh_calls() == []


@pytest.mark.parametrize("ci", ["github", "gitlab"])
@pytest.mark.parametrize(
    ("change", "output"),
    [
        ("delete", 'git checkout "$(git rev-list -n 1 HEAD -- .copier-answers.yml)^" -- .copier'),
        ("move", "cannot be read at /nowhere. If it moved: sed -i 's|^_src_path: .*|_src_path: "),
    ],
)
def test_scheduled_job_explains_missing_template(
    service_before_next: ServiceFactory, tmp_path: Path, change: str, output: str, ci: str
) -> None:
    service = service_before_next(CURRENT, ci=ci)
    if change == "delete":
        service.remove(".copier-answers.yml")
    else:
        text = service.read(".copier-answers.yml")
        service.write(".copier-answers.yml", re.sub("_src_path: .*", "_src_path: /nowhere", text))
    host = GitHost(tmp_path, service)

    assert output in host.run_job(fails=True)
    assert host.gh_calls() == []


def test_gitlab_job_fails_for_newer_release(
    service_before_next: ServiceFactory, tmp_path: Path
) -> None:
    host = GitHost(tmp_path, service_before_next(CURRENT, ci="gitlab"))

    output = host.run_job(fails=True)

    assert "Update: uvx copier update --skip-answered. Add --trust if CHANGELOG.md" in output


def test_scheduled_job_reports_release_that_needs_trust(
    service_before_next: ServiceFactory, template_with_next: Template, tmp_path: Path
) -> None:
    service = service_before_next(CURRENT)
    later = Template.clone_of(template_with_next, tmp_path / "template")
    with later.release("99.1.0") as directory:
        text = (directory / "copier.yml").read_text()
        migration = 'version: 99.1.0, command: ["true"]'
        (directory / "copier.yml").write_text(f"{text}\n_migrations: [{{{migration}}}]\n")
    text = service.read(".copier-answers.yml")
    service.write(
        ".copier-answers.yml", re.sub("_src_path: .*", f"_src_path: {later.directory}", text)
    )
    host = GitHost(tmp_path, service)

    output = host.run_job(fails=True)

    assert "then run: uvx copier update --skip-answered --trust" in output
    assert host.gh_calls() == []


def test_pre_commit_rejects_conflict_markers_and_reject_files(
    service_before_next: ServiceFactory, interpreter: Interpreter
) -> None:
    service = service_before_next(CURRENT)
    check = (interpreter.python, "-m", "pre_commit", "run", "--all-files")
    succeed(*check, "conflicts", cwd=service.directory)
    succeed(*check, "rejects", cwd=service.directory)
    first, rest = service.read(CHANGED_KIT_FILE).split("\n", 1)
    service.write(CHANGED_KIT_FILE, f"{first}\n# ours\n{rest}")
    service.update(NEXT)
    service.write(f"{CHANGED_KIT_FILE}.rej", "@@ -1 +1 @@\n")

    rejected = run(*check, "conflicts", cwd=service.directory)
    assert rejected.returncode == 1
    assert f"{CHANGED_KIT_FILE}:2:<<<<<<< before updating" in rejected.stdout
    rejected = run(*check, "rejects", cwd=service.directory)
    assert rejected.returncode == 1
    assert "pagination.py.rej" in rejected.stdout


@pytest.mark.parametrize("example", [True, False])
def test_update_prints_next_commands(service_before_next: ServiceFactory, example: bool) -> None:
    service = service_before_next(CURRENT)
    service.write("src/app/features/ours.py", "from app.example.users.models import User\n")
    command = (sys.executable, "-m", "copier", "update", "--skip-answered", "--defaults")

    output = succeed(*command, "--data", f"example={str(example).lower()}", cwd=service.directory)

    assert "is updated. Next:" in output.stdout
    for line in ("git diff --diff-filter=U", "uv run pytest", "docs/updating.md has the details"):
        assert line in output.stdout
    assert ("git rm -r src/app/example" in output.stdout) is not example
    if not example:
        [search] = re.findall(r"git grep .*features", output.stdout)
        service.commit()
        service.remove("src/app/example")
        uses = succeed("bash", "-c", search, cwd=service.directory).stdout.splitlines()
        assert uses == ["src/app/features/ours.py:1:from app.example.users.models import User"]


def test_pretended_update_changes_nothing(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    before = service.files()

    command = ("update", "--skip-answered", "--defaults", "--pretend")
    output = succeed(sys.executable, "-m", "copier", *command, cwd=service.directory)

    assert "Nothing was changed (--pretend)." in output.stdout
    assert service.files() == before
