"""A release that moves a file brings along what a team changed in it, and asks for trust."""

import sys
from pathlib import Path

import pytest
import yaml
from copier.errors import UnsafeTemplateError

from tests.processes import succeed
from tests.rendering import ROOT, git
from tests.updates.conftest import Started
from tests.updates.history import CURRENT, NEXT, RELEASES, Template, template_with_history
from tests.updates.next_release import BROUGHT

pytestmark = pytest.mark.slow

OLD, NEW = "src/app/kit/page.py", "src/app/kit/paging.py"
MIGRATION = {
    "version": NEXT,
    "when": "{{ _stage == 'after' }}",
    "command": ["{{ _copier_python }}", "{{ _copier_conf.src_path }}/hooks/rename.py", OLD, NEW],
}


@pytest.fixture(scope="module")
def template_to_come(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A release to come gives a file of the kit another name, and changes it."""
    template = template_with_history(tmp_path_factory.mktemp("moving") / "template")
    with template.release(NEXT) as place:
        old, new = place / "template" / OLD, place / "template" / NEW
        first, rest = old.read_text().split("\n", 1)
        new.write_text(f"{first}\n# {BROUGHT}\n{rest}")
        old.unlink()
        configuration = place / "copier.yml"
        migrations = yaml.safe_dump({"_migrations": [MIGRATION]})
        configuration.write_text(f"{configuration.read_text()}\n{migrations}")
    return template


def test_a_renamed_file_keeps_what_the_team_changed(started_now: Started) -> None:
    service = started_now(CURRENT)
    service.append(OLD, "\n\nOURS = True\n")

    service.update(NEXT, trusted=True)

    assert service.unsettled() == []
    assert not service.path(OLD).exists()
    assert BROUGHT in service.read(NEW)
    assert service.read(NEW).endswith("\nOURS = True\n")


def test_a_renamed_file_that_the_team_took_away_stays_away(started_now: Started) -> None:
    service = started_now(CURRENT)
    service.remove(OLD)

    service.update(NEXT, trusted=True)

    assert service.unsettled() == []
    assert not service.path(OLD).exists()
    assert not service.path(NEW).exists()


def test_a_change_of_the_very_line_is_a_marked_conflict_under_the_new_name(
    started_now: Started,
) -> None:
    service = started_now(CURRENT)
    first, rest = service.read(OLD).split("\n", 1)
    service.write(OLD, f"{first}\n# ours\n{rest}")

    service.update(NEXT, trusted=True)

    assert service.unsettled() == [NEW]
    assert "<<<<<<< before updating\n# ours\n" in service.read(NEW)
    # Git knows: this is what the message after an update and the scheduled job list.
    assert git(service.directory, "diff", "--name-only", "--diff-filter=U").split() == [NEW]
    assert f"UU {NEW}" in git(service.directory, "status", "--porcelain").splitlines()
    versions = [git(service.directory, "show", f":{stage}:{NEW}") for stage in (1, 2, 3)]
    assert ["# ours" in text for text in versions] == [False, True, False]
    assert [BROUGHT in text for text in versions] == [False, False, True]
    marked = service.read(NEW)
    succeed(sys.executable, ROOT / "hooks/rename.py", OLD, NEW, cwd=service.directory)
    assert service.read(NEW) == marked


def test_a_conflict_in_a_subfolder_of_a_repository_is_one_for_git(started_now: Started) -> None:
    service = started_now(CURRENT)
    first, rest = service.read(OLD).split("\n", 1)
    service.write(OLD, f"{first}\n# ours\n{rest}")
    part = service.into_subfolder("services/orders")

    part.update(NEXT, trusted=True)

    name = f"services/orders/{NEW}"
    assert git(service.directory, "diff", "--name-only", "--diff-filter=U").split() == [name]


def test_bringing_a_file_along_again_changes_nothing(started_now: Started) -> None:
    service = started_now(CURRENT)
    service.append(OLD, "\n\nOURS = True\n")
    service.update(NEXT, trusted=True)
    merged = service.read(NEW)

    succeed(sys.executable, ROOT / "hooks/rename.py", OLD, NEW, cwd=service.directory)

    assert service.read(NEW) == merged


def test_without_trust_nothing_happens(started_now: Started) -> None:
    service = started_now(CURRENT)
    before = service.files()

    with pytest.raises(UnsafeTemplateError, match="migrations"):
        service.update(NEXT)

    assert service.files() == before


def test_so_far_no_update_needs_trust(started_now: Started) -> None:
    # From the first release on, so that every migration there is would be run.
    service = started_now(next(iter(RELEASES)))

    service.update(CURRENT)

    assert f"_commit: v{CURRENT}" in service.read(".copier-answers.yml")


def test_every_migration_names_the_release_that_it_is_for() -> None:
    configuration = yaml.safe_load((ROOT / "copier.yml").read_text())

    for migration in configuration.get("_migrations", []):
        assert migration["version"] in {*RELEASES, CURRENT}
        script = Path(migration["command"][1].replace("{{ _copier_conf.src_path }}", str(ROOT)))
        assert script.parent == ROOT / "hooks"
        assert script.exists()
