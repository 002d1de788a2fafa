"""A later release moves a file: hooks/move.py keeps a team's edits, and needs `--trust`."""

from pathlib import Path

import pytest
import yaml
from copier.errors import UnsafeTemplateError

from tests.rendering import ROOT, git
from tests.updates.conftest import ServiceFactory
from tests.updates.history import CURRENT, NEXT, RELEASES, Template
from tests.updates.next_release import ADDED_LINE

pytestmark = pytest.mark.slow

OLD, NEW = "src/app/kit/queries/pagination.py", "src/app/kit/queries/paging.py"
OLD_MODULE, NEW_MODULE = "app.kit.queries.pagination", "app.kit.queries.paging"


@pytest.fixture(scope="module")
def template_with_next(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template with a release that moves and changes a file of the kit."""
    moving = Template.clone_of(template, tmp_path_factory.mktemp("moving") / "template")
    with moving.release(NEXT) as directory:
        old, new = directory / "template" / OLD, directory / "template" / NEW
        first, rest = old.read_text().split("\n", 1)
        new.write_text(f"{first}\n# {ADDED_LINE}\n{rest}")
        old.unlink()
        moves = directory / "hooks/moves.toml"
        text = moves.read_text().replace(OLD_MODULE, NEW_MODULE)
        line = f'"{OLD_MODULE}" = "{NEW_MODULE}"\n'
        moves.write_text(text.replace("[modules]\n", f"[modules]\n{line}", 1))
        configuration = directory / "copier.yml"
        text = configuration.read_text()
        configuration.write_text(text.replace("version: 0.12.0", f"version: {NEXT}"))
    return moving


def test_moved_file_keeps_edits_also_in_second_run(
    service_before_next: ServiceFactory, template_with_next: Template
) -> None:
    service = service_before_next(CURRENT)
    service.append(OLD, "\n\nOURS = True\n")

    service.update(NEXT)

    assert service.conflicts() == []
    assert not service.path(OLD).exists()
    assert ADDED_LINE in service.read(NEW)
    assert service.read(NEW).endswith("\nOURS = True\n")
    merged = service.read(NEW)
    service.run_script(template_with_next.directory / "hooks/move.py")
    assert service.read(NEW) == merged


def test_moved_file_that_team_deleted_stays_deleted(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    service.remove(OLD)

    service.update(NEXT)

    assert service.conflicts() == []
    assert not service.path(OLD).exists()
    assert not service.path(NEW).exists()


def test_edit_of_same_line_of_moved_file_is_marked_conflict(
    service_before_next: ServiceFactory, template_with_next: Template
) -> None:
    service = service_before_next(CURRENT)
    first, rest = service.read(OLD).split("\n", 1)
    service.write(OLD, f"{first}\n# ours\n{rest}")

    service.update(NEXT)

    assert service.conflicts() == [NEW]
    assert "<<<<<<< before updating\n# ours\n" in service.read(NEW)
    # The message after an update and the scheduled job list these conflicts.
    assert git(service.directory, "diff", "--name-only", "--diff-filter=U").split() == [NEW]
    assert f"UU {NEW}" in git(service.directory, "status", "--porcelain").splitlines()
    versions = [git(service.directory, "show", f":{stage}:{NEW}") for stage in (1, 2, 3)]
    assert ["# ours" in text for text in versions] == [False, True, False]
    assert [ADDED_LINE in text for text in versions] == [False, False, True]
    marked = service.read(NEW)
    service.run_script(template_with_next.directory / "hooks/move.py")
    assert service.read(NEW) == marked


def test_conflict_in_subfolder_is_unmerged_in_git(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    first, rest = service.read(OLD).split("\n", 1)
    service.write(OLD, f"{first}\n# ours\n{rest}")
    part = service.into_subfolder("services/orders")

    part.update(NEXT)

    name = f"services/orders/{NEW}"
    assert git(service.directory, "diff", "--name-only", "--diff-filter=U").split() == [name]


@pytest.mark.parametrize(
    ("version", "later"), [("0.1.0", CURRENT), ("0.11.0", CURRENT), (CURRENT, NEXT)]
)
def test_update_across_release_with_script_needs_trust(
    service_before_next: ServiceFactory, version: str, later: str
) -> None:
    service = service_before_next(version)
    before = service.files()

    with pytest.raises(UnsafeTemplateError, match="migrations"):
        service.update(later, trusted=False)

    assert service.files() == before


def test_update_from_the_last_release_runs_no_script(service_before_next: ServiceFactory) -> None:
    service = service_before_next("0.12.0")

    service.update(CURRENT, trusted=False)

    assert f"_commit: v{CURRENT}" in service.read(".copier-answers.yml")


def test_copier_migrations_name_existing_release_and_script() -> None:
    configuration = yaml.safe_load((ROOT / "copier.yml").read_text())

    for migration in configuration.get("_migrations", []):
        assert migration["version"] in {*RELEASES, CURRENT}
        script = Path(migration["command"][1].replace("{{ _copier_conf.src_path }}", str(ROOT)))
        assert script.parent == ROOT / "hooks"
        assert script.exists()
