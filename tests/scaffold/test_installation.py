"""`scaffold` installs its generator from the repository of the template, with uv."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.processes import UV, run, succeed
from tests.rendering import RenderService, git, render_from
from tests.services import Interpreter, database_url

pytestmark = pytest.mark.slow

COMMAND = "from app.cli import main; main()"
DOWNLOADS = "Downloading the generator: "


@pytest.fixture
def template(repository: Path, tmp_path: Path) -> Path:
    """A bare clone of the repository of the template, which the test may change."""
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), "template.git")
    return tmp_path / "template.git"


def test_generator_is_installed_once(
    template: Path, interpreter: Interpreter, server: URL, tmp_path: Path
) -> None:
    directory = tmp_path / "service"
    render_from(f"git+{template.as_uri()}", directory, example=False)
    git(directory, "init", "--quiet")
    git(directory, "add", "--all")
    command = [interpreter.python, "-c", COMMAND, "scaffold"]
    variables = {"PYTHONPATH": "src:devtools", "DATABASE_URL": database_url(server), "UV": UV}

    help_text = succeed(*command, "--help", cwd=directory, **variables).stdout
    assert "--search" in help_text
    shutil.rmtree(template)
    changes = succeed(*command, "note", "title:str", "--dry-run", cwd=directory, **variables).stdout
    assert "+++ b/src/app/features/notes/models.py" in changes
    assert DOWNLOADS not in changes

    # A later release of the template, which cannot be downloaded.
    answers = directory / ".copier-answers.yml"
    commit = answers.read_text().partition("# Commit: ")[2].partition("\n")[0]
    answers.write_text(answers.read_text().replace(commit, commit[::-1]))
    git(directory, "add", "--all")
    result = run(*command, "note", "title:str", cwd=directory, **variables)
    assert result.returncode == 2
    assert DOWNLOADS in result.stdout
    assert "scaffold cannot download its generator: fatal: " in result.stdout
    assert git(directory, "ls-files", "--others", "--modified", "--exclude-standard") == ""


def test_generator_of_working_tree_is_not_copied(
    service: RenderService, interpreter: Interpreter
) -> None:
    # `_src_path` is a folder without Git.
    directory = service(example=False)
    command = [interpreter.python, "-c", COMMAND, "scaffold", "--help"]
    variables = {"PYTHONPATH": "src:devtools", "DATABASE_URL": "postgresql://localhost/test"}
    help_text = succeed(*command, cwd=directory, **variables, UV=UV).stdout
    assert "--search" in help_text
