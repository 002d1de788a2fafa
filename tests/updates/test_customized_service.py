"""A service with many changes of a team, updated from the first release to the working tree."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.services import Interpreter, new_database
from tests.updates.conftest import ServiceFactory
from tests.updates.history import CURRENT, MILESTONES
from tests.updates.service import SEEDED, Service
from tests.updates.team import Team

pytestmark = pytest.mark.slow

FIRST, *LATER = [*MILESTONES, CURRENT]

COMMAND = '''
@cli.command()
def greet() -> None:
    """Say hello."""
    typer.echo(Settings.load().greeting)

'''
FIXTURE = '''

@pytest.fixture
def greeting() -> str:
    """What the service says."""
    return "hello"
'''
DROP_THE_EXAMPLE = """from alembic import context, op


def upgrade() -> None:
    op.execute("DROP TABLE post_tags, tags, posts, profiles, users")


def downgrade() -> None:
    context.script.get_revision("0001").module.upgrade()
"""
# The team's changes: file and text.
TEAM_CHANGES = [
    ("src/app/kit/db/settings.py", "idle_in_transaction_timeout: float = Field(30,"),
    ("pyproject.toml", 'version = "3.2.1"'),
    ("pyproject.toml", '    "orjson>=3,<4",\n'),
    ("pyproject.toml", '[tool.coverage.run]\nbranch = true\n'),
    ("src/app/settings.py", '    greeting: str = "hello"\n'),
    (".env.example", "# What the service says.\nGREETING=\n"),
    ("src/app/cli.py", COMMAND),
    ("tests/conftest.py", FIXTURE),
    (".github/workflows/ci.yml", "    timeout-minutes: 30\n"),
    (".github/workflows/ci.yml", "      - run: make ours\n"),
    (".gitignore", "notes/\n"),
    ("README.md", "# Ours\n"),
    ("src/app/registry.py", "    notes,\n"),
]  # fmt: skip
REGISTRY = "src/app/registry.py"
DELETED = [".pre-commit-config.yaml"]
# A test of the team in a folder of the kit's tests, which the template no longer has.
OWN_TEST = "tests/kit/test_own.py"
# A test with the local PostgreSQL of the releases before 0.6.0.
OTHER_SERVER = '''"""A second server."""

from collections.abc import Iterator

import pytest
from app.kit.local_postgres import throwaway
from sqlalchemy import URL


@pytest.fixture
def other_server() -> Iterator[URL]:
    """A second server."""
    with throwaway(max_connections=7) as url:
        yield url


def test_other_server_runs(other_server: URL) -> None:
    assert other_server.query["host"]
'''


def customize(team: Team) -> None:
    """Change a service in many places."""
    service = team.service
    team.migrate()
    team.add_notes_feature()
    team.autogenerate_migration("add notes")
    service.replace(
        "src/app/kit/db/settings.py", "timeout: float = Field(60,", "timeout: float = Field(30,"
    )
    service.replace("pyproject.toml", 'version = "0.1.0"\ndesc', 'version = "3.2.1"\ndesc')
    end = "    # ---- the template's end here, yours follow ----\n]\n\n[project.scripts]"
    service.replace("pyproject.toml", end, end.replace("\n]", '\n    "orjson>=3,<4",\n]'))
    service.append("pyproject.toml", "\n[tool.coverage.run]\nbranch = true\n")
    service.append("src/app/settings.py", '\n    greeting: str = "hello"\n')
    service.append(".env.example", "# What the service says.\nGREETING=\n")
    service.replace("src/app/cli.py", "\n\ndef main()", f"\n{COMMAND}\ndef main()")
    service.append("tests/conftest.py", FIXTURE)
    service.replace(".github/workflows/ci.yml", "timeout-minutes: 15", "timeout-minutes: 30")
    service.append(".github/workflows/ci.yml", "      - run: make ours\n")
    service.append(".gitignore", "notes/\n")
    service.write("README.md", "# Ours\n")
    service.remove(*DELETED)
    service.write(OWN_TEST, "def test_own(greeting: str) -> None:\n    assert greeting\n")
    service.commit()


def delete_example(team: Team) -> None:
    """Remove the example by hand, without the steps of docs/updating.md."""
    service = team.service
    service.remove("src/app/example", "tests/example")
    for name in ("posts", "tags", "users"):
        service.replace(REGISTRY, f"from app.example.{name}.router import router as {name}\n", "")
        service.replace(REGISTRY, f"    {name},\n", "")
    team.write_migration("drop the example", DROP_THE_EXAMPLE)


def exclude_old_migrations_from_lint(team: Team) -> None:
    """Exclude migrations that are older than the linter, as its error message advises."""
    end = "the template's end here, yours follow: revisions that production already has ----\n"
    names = [name for name in team.service.files() if "drop_the_example" in name]
    listed = "".join(f'    "*{Path(name).stem}.sql",\n' for name in names)
    team.service.replace(".squawk.toml", end, end + listed)


def assert_valid(team: Team, mypy_cache: Path) -> None:
    """Assert that the team's changes are kept and that all checks of the service pass."""
    service = team.service
    exclude_old_migrations_from_lint(team)
    for name, text in TEAM_CHANGES:
        assert text in service.read(name), f"{name} lost {text!r}"
    assert [name for name in service.files() if name.startswith("tests/kit/")] == [OWN_TEST]
    assert not [name for name in DELETED if service.path(name).exists()]
    team.migrate()
    team.run("alembic", "check")
    team.run("ruff", "check")
    team.run("mypy", "--cache-dir", str(mypy_cache))
    team.run("pytest", "-q")


@pytest.mark.full_suite
def test_updates_through_several_releases_keep_team_changes(
    service_at: ServiceFactory,
    interpreter: Interpreter,
    server: URL,
    mypy_cache: Path,
    tmp_path: Path,
) -> None:
    service = service_at(FIRST)
    team = Team(service, interpreter, new_database(server))
    customize(team)
    delete_example(team)
    at_once = Service(Path(shutil.copytree(service.directory, tmp_path / "at_once")))

    for release in LATER:
        update_service(service, release)
    update_service(at_once, CURRENT)
    # The update sorts the imports of files without conflicts.
    for each in (service, at_once):
        interpreter.run_module(each.directory, "ruff", "check", "--select", "I", "--fix", REGISTRY)

    assert files_without_seeded(at_once) == files_without_seeded(service)
    assert_valid(team, mypy_cache)
    assert not [name for name in service.files() if "example/" in name]


def files_without_seeded(service: Service) -> dict[str, bytes]:
    """Return the files of a service, without those that updates never change."""
    files = service.files()
    return {name: files[name] for name in files.keys() - SEEDED}


def update_service(service: Service, release: str) -> None:
    """Update, and resolve the only conflict: the team removed the example from the registry."""
    service.update(release)
    assert set(service.conflicts()) <= {REGISTRY}
    service.resolve_with_ours(REGISTRY)
    # Names of the template's side of the conflict; without them, mypy would fail.
    registry = service.read(REGISTRY)
    for name in ("jobs", "seed_example"):
        registry = registry.replace(f"    {name},\n", "")
    service.write(REGISTRY, registry)


@pytest.mark.full_suite
def test_team_migrations_merge_and_its_tests_pass(
    service_at: ServiceFactory, interpreter: Interpreter, server: URL, mypy_cache: Path
) -> None:
    service = service_at(FIRST)
    team = Team(service, interpreter, new_database(server))
    customize(team)
    service.write("tests/features/test_other_server.py", OTHER_SERVER)
    team.migrate()

    service.update()

    assert service.conflicts() == []
    service.commit()
    team.migrate()
    team.merge_heads()
    assert_valid(team, mypy_cache)
