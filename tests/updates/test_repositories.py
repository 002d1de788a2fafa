"""Updates of services in repositories that are not as a new one is."""

import runpy
from pathlib import Path

import copier
import pytest
import yaml

from tests.rendering import TEMPLATE, answers_of, git
from tests.updates.conftest import Started
from tests.updates.history import CURRENT, NEXT, RELEASES
from tests.updates.next_release import BROUGHT, EDITED

pytestmark = pytest.mark.slow

LAST = list(RELEASES)[-1]
FOLDER = "services/orders"


@pytest.mark.parametrize("version", [LAST, CURRENT])
def test_a_service_in_a_subfolder_updates_as_one_in_its_own_repository(
    started_now: Started, version: str
) -> None:
    service = started_now(version)
    first, rest = service.read(EDITED).split("\n", 1)
    service.write(EDITED, f"{first}\n# ours\n{rest}")
    service.append("README.md", "Ours.\n")
    service.remove("zensical.toml")
    part = service.into_subfolder(FOLDER)
    service.write("README.md", "The repository.\n")

    part.update(NEXT)

    conflicts = git(service.directory, "diff", "--name-only", "--diff-filter=U").split()
    assert conflicts == [f"{FOLDER}/{EDITED}"]
    assert BROUGHT in part.read("src/app/registry.py")
    assert part.read("README.md").endswith("Ours.\n")
    assert not part.path("zensical.toml").exists()
    assert service.read("README.md") == "The repository.\n"
    assert not {name for name in service.files() if not name.startswith((FOLDER, "README"))}


def test_workflows_that_were_moved_to_the_top_stay_moved(started_now: Started) -> None:
    service = started_now(CURRENT)
    part = service.into_subfolder(FOLDER)
    for name in ("ci", "template"):
        service.move(
            f"{FOLDER}/.github/workflows/{name}.yml", f".github/workflows/{name}-orders.yml"
        )
    before = service.read(".github/workflows/ci-orders.yml")

    part.update(NEXT)

    assert not part.path(".github").exists()
    assert service.read(".github/workflows/ci-orders.yml") == before


def test_windows_line_endings_conflict_in_no_file_of_a_new_service(started_now: Started) -> None:
    service = started_now(CURRENT)
    to_windows_line_endings(service.path(EDITED), added="OURS = True")
    service.commit()

    service.update(NEXT)

    assert service.unsettled() == []
    assert BROUGHT in service.read(EDITED)
    assert "OURS = True" in service.read(EDITED)


def test_committed_windows_line_endings_are_normalized_before_an_update(
    started: Started,
) -> None:
    service = started(LAST)
    for name in service.files():
        if not name.startswith("migrations/versions/"):
            to_windows_line_endings(service.path(name))
    service.commit()

    # As docs/updating.md says.
    service.write(".gitattributes", "* text=auto eol=lf\n")
    git(service.directory, "add", "--renormalize", ".")
    service.commit()
    git(service.directory, "rm", "--quiet", "--cached", "-r", ".")
    git(service.directory, "reset", "--hard", "--quiet")
    service.update()

    assert service.unsettled() == []


def to_windows_line_endings(path: Path, added: str = "") -> None:
    """Write a file with CRLF."""
    text = path.read_text() + (f"{added}\n" if added else "")
    path.write_bytes(text.replace("\n", "\r\n").encode())


def test_rejects_in_place_of_conflicts_are_refused_with_the_reason(started_now: Started) -> None:
    service = started_now(CURRENT)
    before = service.files()

    with pytest.raises(ValueError, match="leave out --conflict=rej, which moves your lines out"):
        copier.run_update(
            service.directory, defaults=True, overwrite=True, quiet=True, conflict="rej"
        )

    assert service.files() == before


def test_a_template_that_moved_is_found_at_its_new_address(started_now: Started) -> None:
    service = started_now(CURRENT)
    address = answers_of(service.directory)["_src_path"]
    service.replace(".copier-answers.yml", f"_src_path: {address}", "_src_path: /nowhere")
    assert checks_answers(service.read(".copier-answers.yml"))
    # As docs/updating.md and the scheduled job say.
    service.replace(".copier-answers.yml", "_src_path: /nowhere", f"_src_path: {address}")

    service.update(NEXT)

    assert f"_commit: v{NEXT}" in service.read(".copier-answers.yml")


def test_a_deleted_answers_file_is_restored_from_the_history(started_now: Started) -> None:
    service = started_now(CURRENT)
    service.remove(".copier-answers.yml")
    service.write("src/app/features/later.py", "")

    # As docs/updating.md and the scheduled job say.
    deleted = git(service.directory, "rev-list", "-n", "1", "HEAD", "--", ".copier-answers.yml")
    git(service.directory, "checkout", f"{deleted.strip()}^", "--", ".copier-answers.yml")
    service.commit()
    service.update(NEXT)

    assert f"_commit: v{NEXT}" in service.read(".copier-answers.yml")


@pytest.mark.parametrize(
    ("old", "new"),
    [("pooler: none", "pooler: pgbouncer"), (f"_commit: v{CURRENT}", "_commit: v98.0.0")],
)
def test_an_answer_that_was_edited_by_hand_is_noticed(
    started_now: Started, old: str, new: str
) -> None:
    service = started_now(CURRENT)
    text = service.read(".copier-answers.yml")
    assert checks_answers(text)

    assert old in text
    assert not checks_answers(text.replace(old, new))


@pytest.mark.parametrize("version", [LAST, CURRENT])
def test_after_an_update_the_answers_are_as_copier_wrote_them(
    started: Started, version: str
) -> None:
    service = started(version, project_description="x y " * 40)

    service.update(pool_size=37)

    assert checks_answers(service.read(".copier-answers.yml"))
    assert yaml.safe_load(service.read(".copier-answers.yml"))["pool_size"] == 37


def checks_answers(text: str) -> bool:
    """Whether the test of the service would pass."""
    check = runpy.run_path(str(TEMPLATE / "tests/kit/test_answers.py"))
    stored = check["CHECKSUM"].search(text)
    return bool(stored) and stored[1] == check["checksum_of"](text)
