"""Generating a service with `copier copy`."""

import sys
from pathlib import Path

import pytest
import yaml

from tests.processes import run
from tests.rendering import ROOT, Renderer, answers_of, files_under, render_from

COPIER: list[str | Path] = [sys.executable, "-m", "copier", "copy"]


def test_copying_never_needs_trust() -> None:
    configuration = yaml.safe_load((ROOT / "copier.yml").read_text())

    assert "_tasks" not in configuration
    assert "_jinja_extensions" not in configuration
    assert all("version" in migration for migration in configuration.get("_migrations", []))


@pytest.mark.parametrize("scheme", ["", "git+file://"])
def test_template_can_be_copied_from_path_or_url(
    render: Renderer, repository: Path, tmp_path: Path, scheme: str
) -> None:
    render_from(f"{scheme}{repository}", tmp_path / "service")

    assert without_answers(tmp_path / "service") == without_answers(render())


def test_data_options_set_answers(repository: Path, tmp_path: Path) -> None:
    copied = run(
        *(*COPIER, "--defaults", "--data", "project_name=Zebra Crossing", "--data", "pool_size=37"),
        *(repository, "service"),
        cwd=tmp_path,
    )

    assert copied.returncode == 0, copied.stdout
    answers = answers_of(tmp_path / "service")
    assert (answers["project_name"], answers["pool_size"]) == ("Zebra Crossing", 37)


def test_data_file_sets_answers(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "answers.yml").write_text("pk_type: int\nsoft_delete: no\n")

    copied = run(
        *(*COPIER, "--defaults", "--data-file", "answers.yml", repository, "service"),
        cwd=tmp_path,
    )

    assert copied.returncode == 0, copied.stdout
    answers = answers_of(tmp_path / "service")
    assert (answers["pk_type"], answers["soft_delete"]) == ("int", False)


def test_message_after_copy_contains_next_commands(repository: Path, tmp_path: Path) -> None:
    copied = run(
        *(*COPIER, "--defaults", "--data", "project_name=Zebra Crossing"),
        *(repository, "service"),
        cwd=tmp_path,
    )

    for command in ["cd ", "git init", "uv run zebra-crossing dev", "uv run pytest"]:
        assert command in copied.stdout
    assert "{{" not in copied.stdout


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "project_name=class",
            "Validation error for question 'project_name': a Python keyword",
        ),
        ("pool_size=many", "question 'pool_size': answer a whole number"),
        ("pk_type=bigint", "Invalid choice for 'pk_type'"),
    ],
)
def test_invalid_answer_writes_nothing(
    repository: Path, tmp_path: Path, data: str, message: str
) -> None:
    copied = run(*COPIER, "--defaults", "--data", data, repository, "service", cwd=tmp_path)

    assert copied.returncode != 0
    assert message in copied.stdout
    assert not (tmp_path / "service").exists()


def without_answers(service: Path) -> dict[str, bytes]:
    """Return the files of a service without the answers file, which contains the template's URL."""
    files = files_under(service)
    del files[".copier-answers.yml"]
    return files
