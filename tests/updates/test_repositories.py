"""Updates in unusual repositories: subfolders, CRLF files, a moved template."""

import runpy
from pathlib import Path

import copier
import pytest
import yaml

from tests.rendering import TEMPLATE, answers_of, git
from tests.updates.conftest import ServiceFactory
from tests.updates.history import CURRENT, NEXT, RELEASES
from tests.updates.next_release import ADDED_LINE, CHANGED_KIT_FILE, FORMER_KIT_FILE

pytestmark = pytest.mark.slow

LAST = list(RELEASES)[-1]
FOLDER = "services/orders"


@pytest.mark.parametrize("version", [LAST, CURRENT])
def test_service_in_subfolder_updates(service_before_next: ServiceFactory, version: str) -> None:
    service = service_before_next(version)
    names = (CHANGED_KIT_FILE, FORMER_KIT_FILE)
    [name] = [name for name in names if service.path(name).exists()]
    first, rest = service.read(name).split("\n", 1)
    service.write(name, f"{first}\n# ours\n{rest}")
    service.append("README.md", "Ours.\n")
    service.remove("zensical.toml")
    part = service.into_subfolder(FOLDER)
    service.write("README.md", "The repository.\n")

    part.update(NEXT)

    conflicts = git(service.directory, "diff", "--name-only", "--diff-filter=U").split()
    assert conflicts == [f"{FOLDER}/{CHANGED_KIT_FILE}"]
    assert ADDED_LINE in part.read("src/app/registry.py")
    assert part.read("README.md").endswith("Ours.\n")
    assert not part.path("zensical.toml").exists()
    assert service.read("README.md") == "The repository.\n"
    assert not {name for name in service.files() if not name.startswith((FOLDER, "README"))}


def test_moved_workflows_stay_moved(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    part = service.into_subfolder(FOLDER)
    for name in ("ci", "template"):
        service.move(
            f"{FOLDER}/.github/workflows/{name}.yml", f".github/workflows/{name}-orders.yml"
        )
    service.move(f"{FOLDER}/.github/dependabot.yml", ".github/dependabot.yml")
    before = service.read(".github/workflows/ci-orders.yml")

    part.update(NEXT)

    assert not part.path(".github").exists()
    assert service.read(".github/workflows/ci-orders.yml") == before


def test_crlf_in_working_tree_causes_no_conflict(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    to_windows_line_endings(service.path(CHANGED_KIT_FILE), added="OURS = True")
    service.commit()

    service.update(NEXT)

    assert service.conflicts() == []
    assert ADDED_LINE in service.read(CHANGED_KIT_FILE)
    assert "OURS = True" in service.read(CHANGED_KIT_FILE)


def test_update_works_after_normalizing_committed_crlf(
    service_at: ServiceFactory,
) -> None:
    service = service_at(LAST)
    for name in service.files():
        if not name.startswith("migrations/versions/"):
            to_windows_line_endings(service.path(name))
    service.commit()

    # The steps of docs/updating.md.
    service.write(".gitattributes", "* text=auto eol=lf\n")
    git(service.directory, "add", "--renormalize", ".")
    service.commit()
    git(service.directory, "rm", "--quiet", "--cached", "-r", ".")
    git(service.directory, "reset", "--hard", "--quiet")
    service.update()

    assert service.conflicts() == []


def to_windows_line_endings(path: Path, added: str = "") -> None:
    """Write a file with CRLF."""
    text = path.read_text() + (f"{added}\n" if added else "")
    path.write_bytes(text.replace("\n", "\r\n").encode())


def test_conflict_rej_option_is_rejected(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    before = service.files()

    with pytest.raises(ValueError, match="leave out --conflict=rej, which moves your lines into"):
        copier.run_update(
            service.directory, defaults=True, overwrite=True, quiet=True, conflict="rej"
        )

    assert service.files() == before


def test_update_rejects_service_with_renamed_package(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    service.move("src/app", "src/orders")
    before = service.files()

    with pytest.raises(ValueError, match="src/app/kit is missing, and an update finds files"):
        service.update(NEXT)

    assert service.files() == before


def test_update_works_after_template_moved(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    address = answers_of(service.directory)["_src_path"]
    service.replace(".copier-answers.yml", f"_src_path: {address}", "_src_path: /nowhere")
    assert has_valid_checksum(service.read(".copier-answers.yml"))
    # The steps of docs/updating.md and of the scheduled job.
    service.replace(".copier-answers.yml", "_src_path: /nowhere", f"_src_path: {address}")

    service.update(NEXT)

    assert f"_commit: v{NEXT}" in service.read(".copier-answers.yml")


def test_update_works_after_restoring_deleted_answers_file(
    service_before_next: ServiceFactory,
) -> None:
    service = service_before_next(CURRENT)
    service.remove(".copier-answers.yml")
    service.write("src/app/features/later.py", "")

    # The steps of docs/updating.md and of the scheduled job.
    deleted = git(service.directory, "rev-list", "-n", "1", "HEAD", "--", ".copier-answers.yml")
    git(service.directory, "checkout", f"{deleted.strip()}^", "--", ".copier-answers.yml")
    service.commit()
    service.update(NEXT)

    assert f"_commit: v{NEXT}" in service.read(".copier-answers.yml")


@pytest.mark.parametrize(
    ("old", "new"),
    [("pooler: none", "pooler: pgbouncer"), (f"_commit: v{CURRENT}", "_commit: v98.0.0")],
)
def test_checksum_detects_edited_answer(
    service_before_next: ServiceFactory, old: str, new: str
) -> None:
    service = service_before_next(CURRENT)
    text = service.read(".copier-answers.yml")
    assert has_valid_checksum(text)

    assert old in text
    assert not has_valid_checksum(text.replace(old, new))


@pytest.mark.parametrize("version", [LAST, CURRENT])
def test_update_writes_valid_answers_checksum(service_at: ServiceFactory, version: str) -> None:
    service = service_at(version, project_description="x y " * 40)

    service.update(pool_size=37)

    assert has_valid_checksum(service.read(".copier-answers.yml"))
    assert yaml.safe_load(service.read(".copier-answers.yml"))["pool_size"] == 37


def has_valid_checksum(text: str) -> bool:
    """Return whether the checksum test of the service would pass."""
    check = runpy.run_path(str(TEMPLATE / "tests/architecture/test_copier_answers.py"))
    stored = check["CHECKSUM"].search(text)
    return bool(stored) and stored[1] == check["checksum_of"](text)
