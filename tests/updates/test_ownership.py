"""Updates keep the files and edits of a team."""

import copier
import pytest

from tests.updates.conftest import ServiceFactory
from tests.updates.history import CURRENT, MILESTONES, NEXT, RELEASES
from tests.updates.next_release import ADDED_LINE, CHANGED_KIT_FILE, NEW, SEEDED, SHIPPED_MIGRATION

pytestmark = pytest.mark.slow

REVISION, INVOICES, NEW_IN_POSTS, NEW_IN_KIT, NEW_TEST = NEW


def test_update_never_changes_seeded_files(
    service_before_next: ServiceFactory,
) -> None:
    service = service_before_next(CURRENT)

    service.update(NEXT)

    for name in (*SEEDED, SHIPPED_MIGRATION):
        assert ADDED_LINE not in service.read(name.removesuffix(".jinja"))
    for name in NEW:
        assert ADDED_LINE in service.read(name)


def test_update_keeps_team_files_and_deletions(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    service.write("README.md", "# Ours\n")
    service.write("src/app/features/invoices/models.py", "OURS = True\n")
    service.write("tests/features/test_invoices.py", "OURS = True\n")
    service.write("migrations/versions/2027_01_01_ours.py", "OURS = True\n")
    deleted = [
        ".env.example",
        ".pre-commit-config.yaml",
        "src/app/features/__init__.py",
        "tests/features/__init__.py",
    ]
    service.remove(*deleted)
    before = service.files()

    service.update(NEXT)

    assert service.conflicts() == []
    after = service.files()
    team_files = [
        "README.md",
        "migrations/versions/2027_01_01_ours.py",
        "src/app/features/invoices/models.py",
        "tests/features/test_invoices.py",
    ]
    assert {name: after.get(name) for name in team_files} == {
        name: before[name] for name in team_files
    }
    assert not after.keys() & set(deleted)


def test_update_keeps_existing_editor_settings(service_before_next: ServiceFactory) -> None:
    service = service_before_next(list(RELEASES)[-1])
    ours = dict.fromkeys((".editorconfig", "AGENTS.md", ".vscode/settings.json"), "# ours\n")
    for name, text in ours.items():
        service.write(name, text)

    service.update(CURRENT)

    assert service.conflicts() == []
    after = service.files()
    assert {name: after[name] for name in ours} == {name: ours[name].encode() for name in ours}
    assert "zensical.toml" in after


def test_update_does_not_restore_deleted_readme(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    service.remove("README.md")

    service.update(NEXT)

    assert not service.path("README.md").exists()


def test_files_added_by_both_sides_are_only_conflicts(service_at: ServiceFactory) -> None:
    # This release has neither.
    service = service_at("0.1.0")
    service.write("compose.yaml", "services: {ours: {image: ours}}\n")
    service.write("Dockerfile", "FROM ours\n")

    service.update()

    assert service.conflicts() == ["Dockerfile", "compose.yaml"]
    assert "<<<<<<< before updating\nservices: {ours: " in service.read("compose.yaml")
    service.resolve_with_ours("Dockerfile")
    assert service.read("Dockerfile") == "FROM ours\n"


def test_recopy_keeps_team_files(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    ours = [name.removesuffix(".jinja") for name in (*SEEDED, SHIPPED_MIGRATION)]
    for name in ours:
        service.write(name, "# ours\n")

    copier.run_recopy(service.directory, defaults=True, overwrite=True, quiet=True)

    assert {service.read(name) for name in ours} == {"# ours\n"}


def test_edit_of_kit_file_merges(
    service_before_next: ServiceFactory,
) -> None:
    service = service_before_next(CURRENT)
    service.append(CHANGED_KIT_FILE, "\n\nOURS = True\n")

    service.update(NEXT)

    assert service.conflicts() == []
    assert ADDED_LINE in service.read(CHANGED_KIT_FILE)
    assert service.read(CHANGED_KIT_FILE).endswith("\nOURS = True\n")


def test_edit_of_same_line_is_only_conflict(
    service_before_next: ServiceFactory,
) -> None:
    service = service_before_next(CURRENT)
    first, rest = service.read(CHANGED_KIT_FILE).split("\n", 1)
    service.write(CHANGED_KIT_FILE, f"{first}\n# ours\n{rest}")

    service.update(NEXT)

    assert service.conflicts() == [CHANGED_KIT_FILE]
    conflict = service.read(CHANGED_KIT_FILE)
    assert "<<<<<<< before updating\n# ours\n" in conflict
    assert f"# {ADDED_LINE}\n>>>>>>> after updating\n" in conflict
    assert ADDED_LINE in service.read("src/app/registry.py")


def test_update_keeps_squashed_migrations(
    service_before_next: ServiceFactory,
) -> None:
    service = service_before_next(CURRENT)
    shipped = SHIPPED_MIGRATION.removesuffix(".jinja")
    revisions = [name for name in service.files() if name.startswith("migrations/versions/")]
    service.remove(*(name for name in revisions if name != shipped))
    service.replace(shipped, '"""The tables', '"""Squashed: the tables')
    before = service.read(shipped)

    service.update(NEXT)

    assert service.conflicts() == []
    assert service.read(shipped) == before
    assert [name for name in service.files() if name.startswith("migrations/versions/")] == [
        shipped,
        REVISION,
    ]


def test_removing_example_keeps_its_migrations(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    before = {name for name in service.files() if name.startswith("migrations/versions/")}

    service.update(NEXT, example=False)

    assert service.conflicts() == []
    after = {name for name in service.files() if name.startswith("migrations/versions/")}
    assert after == before


@pytest.mark.parametrize("version", [*MILESTONES, CURRENT])
def test_update_does_not_restore_deleted_example(
    service_before_next: ServiceFactory, version: str
) -> None:
    service = service_before_next(version)
    service.remove("src/app/example", "tests/example")
    if service.path("docs/patterns.md").exists():
        service.remove("docs/patterns.md")
    before = {name for name in service.files() if name.startswith("migrations/versions/")}

    service.update(NEXT)

    after = service.files()
    assert not [name for name in after if "example/" in name or name == "docs/patterns.md"]
    # An update adds no migration for tables without models.
    shipped = {name for name in after if name.startswith("migrations/versions/")}
    assert shipped - before <= {REVISION}
    assert set(service.conflicts()) <= {"src/app/registry.py", "pyproject.toml"}


def test_update_keeps_example_feature_that_team_moved(service_before_next: ServiceFactory) -> None:
    service = service_before_next(CURRENT)
    service.move("src/app/example/posts", "src/app/features/posts")
    service.move("tests/example/test_posts.py", "tests/features/test_posts.py")
    service.replace(
        "src/app/registry.py",
        "from app.example.posts.router import router as posts\n",
        "",
    )
    moved = {name: text for name, text in service.files().items() if "features/" in name}

    service.update(NEXT)

    assert service.conflicts() == []
    after = service.files()
    assert {name: text for name, text in after.items() if "features/" in name} == moved
    assert not [name for name in after if name.startswith("src/app/example/posts/")]
    assert "tests/example/test_posts.py" not in after
    assert INVOICES in after
    assert NEW_IN_KIT in after


def test_update_adds_no_feature_whose_requirements_were_removed(service_at: ServiceFactory) -> None:
    """Release 0.1.0 has no orders, and orders need users."""
    service = service_at("0.1.0")
    for name in ("users", "posts", "tags"):
        service.move(f"src/app/example/{name}", f"src/app/features/{name}")
    service.write("src/app/example/kept/models.py", "")

    service.update()

    unwanted = ("src/app/example/orders/", "src/app/example/posts/")
    assert not [name for name in service.files() if name.startswith(unwanted)]
    assert not service.path("tests/example/test_orders.py").exists()
    assert not service.path("migrations/versions/2026_11_21_0003_orders.py").exists()
