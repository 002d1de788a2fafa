"""`scaffold` finds the template that the service was generated from."""

import shutil
import subprocess
from pathlib import Path

import pytest

import scaffold_installer
from app.kit.cli.errors import CommandFailed
from scaffold_installer import git_url, run_generator, uv_options

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("gh:team/template", "https://github.com/team/template.git"),
        ("gh:/team/template.git", "https://github.com/team/template.git"),
        ("gl:team/group/template", "https://gitlab.com/team/group/template.git"),
        ("https://example.org/template", "https://example.org/template"),
        ("git+https://example.org/template", "https://example.org/template"),
        ("https://me:secret@example.org/a.git", "https://me:secret@example.org/a.git"),
        ("git@example.org:team/a.git", "ssh://git@example.org/team/a.git"),
        ("git@example.org:/srv/a.git", "ssh://git@example.org/srv/a.git"),
        ("ssh://git@example.org:22/a.git", "ssh://git@example.org:22/a.git"),
        ("git://example.org/a.git", "git://example.org/a.git"),
        ("../template", ""),
        ("~/template.git", ""),
        ("C:\\template", ""),
    ],
)
def test_address_of_template_is_git_url_or_path(source: str, url: str) -> None:
    assert git_url(source) == url


def write_answers(folder: Path, *lines: str) -> None:
    """Write an answers file."""
    (folder / ".copier-answers.yml").write_text("\n".join(lines) + "\n")


def test_generator_has_commit_of_template(tmp_path: Path) -> None:
    write_answers(tmp_path, f"# Commit: {COMMIT}", "_commit: v0.9.0", "_src_path: gh:a/b")
    [option, requirement] = uv_options(tmp_path, "my-service")
    assert option == "--with"
    assert requirement.endswith(f"git+https://github.com/a/b.git@{COMMIT}#subdirectory=scaffold")


@pytest.mark.parametrize("name", ["plain", "it's", "a: b", "long name " * 12 + "end"])
def test_template_without_git_is_used_where_it_is(tmp_path: Path, name: str) -> None:
    yaml = pytest.importorskip("yaml")
    place = tmp_path / name
    place.mkdir()
    write_answers(tmp_path, yaml.safe_dump({"_src_path": str(place)}, allow_unicode=True))
    assert uv_options(tmp_path, "my-service") == ["--with-editable", str(place / "scaffold")]


def test_uncommitted_template_is_used_where_it_is(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path / "template"], check=True)
    write_answers(tmp_path, f"# Commit: {COMMIT}", "_commit: v0.9.0", "_src_path: template")
    [option, folder] = uv_options(tmp_path, "my-service")
    assert (option, folder) == ("--with-editable", str(tmp_path / "template" / "scaffold"))


@pytest.mark.parametrize(
    "lines", [[], ["_src_path: gh:a/b"], [f"# Commit: {COMMIT}", "_src_path: gone"]]
)
def test_unknown_template_has_a_clear_error(tmp_path: Path, lines: list[str]) -> None:
    write_answers(tmp_path, *lines)
    with pytest.raises(CommandFailed, match="Name its address: uv run --with 'copier-"):
        uv_options(tmp_path, "my-service")


def test_missing_uv_has_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        return None

    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr(shutil, "which", missing)
    monkeypatch.setattr(scaffold_installer, "find_spec", missing)
    write_answers(tmp_path, f"# Commit: {COMMIT}", "_src_path: gh:a/b")
    with pytest.raises(CommandFailed, match="pip install uv"):
        run_generator(tmp_path, "my-service", [])
