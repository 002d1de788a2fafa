"""An update to 0.9.0 or later moves the edits of a team, and rewrites its code."""

import ast
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hooks.move_code import rewrite
from hooks.move_list import Moves
from tests.processes import succeed
from tests.rendering import ROOT, git
from tests.services import Interpreter
from tests.updates.conftest import ServiceFactory
from tests.updates.history import LAST_PATCHES
from tests.updates.service import Service
from tests.updates.team import IMPORTS, NOTES

pytestmark = pytest.mark.slow

KIT = "src/app/kit"
MOVE = ROOT / "hooks/move.py"
MAX_CPU_SECONDS = 30
# The releases whose services are also measured and type-checked after the update.
CHECKED = ["0.5.1", "0.8.0"]
# The last patches of the minor releases before the move.
BEFORE_MOVE = LAST_PATCHES[: LAST_PATCHES.index("0.8.0") + 1]
UPDATES: list[tuple[str, dict[str, Any]]] = [
    *((version, {}) for version in BEFORE_MOVE if version not in CHECKED),
    ("0.8.0", {"auth": "oidc", "telemetry": True, "soft_delete": False, "pk_type": "int"}),
]
# Definitions that the team adds to files of the kit, by old path.
ADDED = {
    "handlers": "def brew(kettle: Teapot) -> Problem:\n    return Problem(kettle.name)\n",
    "schemas": "class Strict(Input):\n    label: Line\n",
    "db/session": "def ours(database: Database) -> Database:\n    return database\n",
    "db/repository": (
        "class Audited(Repository[M]):\n    async def first(self, key: Any) -> M | None:\n"
        "        return await self.one_by(self.model.id == key)\n"
    ),
}
# The beginning of a module of the team.
IMPORTED = '"""Own."""\n\nfrom {} import page\n\n'
# The same definitions after the update, by new path.
MOVED = {
    "errors/handlers": ADDED["handlers"],
    "http/schemas": "class Strict(RequestModel):\n    label: ShortStr\n",
    "db/session": ADDED["db/session"],
    "queries/repository": ADDED["db/repository"].replace("one_by", "get_one_or_none"),
}
# A line that the team edits in a moved file.
OLD_PATH, NEW_PATH, OLD_TEXT, NEW_TEXT = (
    f"{KIT}/page.py",
    f"{KIT}/queries/pagination.py",
    'model_config = ConfigDict(extra="forbid")',
    'model_config = ConfigDict(extra="forbid", frozen=True)',
)
OWN_MODULE = '''"""A module of the team in a folder of the kit."""

from typing import TYPE_CHECKING

from . import session as sessions
from .base import Record, now
from .repository import Repository

if TYPE_CHECKING:
    from app.kit.page import Slice

__all__ = ["OwnRepository", "Record"]


class OwnRepository(Repository[Record]):
    """Own."""

    model = Record

    async def some(self) -> "Slice[Record] | None":
        """Return nothing."""
        assert now() and sessions.database_of.__name__
        return None


Own = OwnRepository
'''
OWN_TEST = """import pytest

import app.kit.errors as errors
from app.kit import page
from app.kit.db import own, relation


def test_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.kit.db.base.now", lambda: None)
    monkeypatch.setattr(relation, "relation", None)
    assert errors.problems(404)
    assert page.Slice.__name__
    assert own.Own.__name__
"""
OWN_MIGRATION = '''"""Own.

Revision ID: abcd
"""

from app.kit.db.repository import Repository

revision = "abcd"
down_revision = None
USED = Repository
'''
PATHS = {
    "own": f"{KIT}/db/own.py",
    "test": "tests/kit/test_own.py",
    "migration": "migrations/versions/2026_12_01_abcd_own.py",
}


def customize(service: Service) -> None:
    """Change files of the kit, and add code that uses old paths and names."""
    # Committed first: Git converts line endings by the attributes that the index has.
    service.path(".gitattributes").unlink(missing_ok=True)
    service.commit()
    texts = {
        PATHS["own"]: OWN_MODULE,
        PATHS["test"]: OWN_TEST,
        PATHS["migration"]: OWN_MIGRATION,
        "src/app/features/teapot.py": 'class Teapot:\n    name = "pot"\n',
        "src/app/features/notes/__init__.py": "",
    }
    for source in NOTES.glob("*.py"):
        if source.stem != "tests":
            texts[f"src/app/features/notes/{source.name}"] = source.read_text()
    for name, added in ADDED.items():
        texts[f"{KIT}/{name}.py"] = f"{service.read(f'{KIT}/{name}.py')}\n\n{added}"
    texts[OLD_PATH] = service.read(OLD_PATH).replace(OLD_TEXT, NEW_TEXT, 1)
    handlers = texts[f"{KIT}/handlers.py"]
    with_import = "from app.features.teapot import Teapot\nfrom app.kit.db.conflicts import"
    texts[f"{KIT}/handlers.py"] = handlers.replace(
        "from app.kit.db.conflicts import", with_import, 1
    )
    registry = service.read("src/app/registry.py")
    imported = "from app.features.notes.router import router as notes\n"
    anchor = IMPORTS if IMPORTS in registry else "import router as users\n"
    texts["src/app/registry.py"] = registry.replace(anchor, anchor + imported)
    for name, text in texts.items():
        service.path(name).parent.mkdir(parents=True, exist_ok=True)
        service.path(name).write_text(text)
    with_crlf = service.path(f"{KIT}/db/repository.py")
    with_crlf.write_bytes(with_crlf.read_bytes().replace(b"\n", b"\r\n"))
    with_crlf.chmod(0o755)
    service.commit()


def use_crlf(service: Service) -> None:
    """Commit every file with CRLF, without the file that prevents it."""
    for name, content in service.files().items():
        if not name.startswith("migrations/versions/") and b"\0" not in content:
            service.path(name).write_bytes(re.sub(rb"\r?\n", b"\r\n", content))
    service.commit()


def measure_update(service: Service) -> float:
    """Update as a team does; return the CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ("update", "--defaults", "--skip-answered", "--trust")
    succeed(sys.executable, "-m", "copier", *command, cwd=service.directory)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def assert_moved(service: Service) -> None:
    """Assert that each edit is at its new path, and that only the migration has old names."""
    for name, text in MOVED.items():
        assert text in service.read(f"{KIT}/{name}.py")
    assert NEW_TEXT in service.read(NEW_PATH)
    for old in ADDED.keys() - {"db/session", "db/repository"}:
        assert not service.path(f"{KIT}/{old}.py").exists()
    assert service.read(PATHS["migration"]) == OWN_MIGRATION
    old_module = service.read(f"{KIT}/db/repository.py")
    assert "from app.kit.queries.repository import Repository\n" in old_module
    moves = Moves.load()
    for name in service.files():
        if name.endswith(".py"):
            text = service.path(name).read_bytes().decode()
            ast.parse(text)
            if not name.startswith("migrations/versions/"):
                assert rewrite(text, "app.other", moves) == text, name
    moved = service.path(f"{KIT}/queries/repository.py")
    assert moved.read_bytes().count(b"\r\n") == moved.read_bytes().count(b"\n")
    assert os.access(moved, os.X_OK)


@pytest.mark.parametrize(("version", "answers"), UPDATES, ids=[each for each, _ in UPDATES])
def test_update_moves_edits_and_rewrites_own_code(
    version: str,
    answers: dict[str, Any],
    service_at: ServiceFactory,
    capfd: pytest.CaptureFixture[str],
) -> None:
    service = service_at(version, **answers)
    customize(service)
    if version == "0.3.0":
        service = service.into_subfolder("services/orders")
    if version == "0.4.0":
        use_crlf(service)

    service.update()

    assert service.conflicts() == []
    assert "which you changed" not in capfd.readouterr().out
    assert_moved(service)


@pytest.mark.parametrize("version", CHECKED)
def test_updated_service_passes_mypy(
    version: str, service_at: ServiceFactory, interpreter: Interpreter, mypy_cache: Path
) -> None:
    service = service_at(version)
    customize(service)

    cpu_seconds = measure_update(service)

    assert cpu_seconds < MAX_CPU_SECONDS
    assert service.conflicts() == []
    assert_moved(service)
    updated = service.files()
    service.run_script(MOVE)
    assert service.files() == updated
    interpreter.run_module(service.directory, "mypy", "--cache-dir", str(mypy_cache))


def test_conflict_in_moved_file_is_unmerged_in_git(service_at: ServiceFactory) -> None:
    old, new = f"{KIT}/handlers.py", f"{KIT}/errors/handlers.py"
    service = service_at("0.1.0")
    first, rest = service.read(old).split("\n", 1)
    service.write(old, f'"""Ours."""\n{rest}')
    service.update()

    assert service.conflicts() == [new]
    assert f"UU {new}" in git(service.directory, "status", "--porcelain").splitlines()
    versions = [git(service.directory, "show", f":{stage}:{new}") for stage in (1, 2, 3)]
    assert [text.startswith('"""Ours."""') for text in versions] == [False, True, False]
    assert versions[0].startswith(first)
    marked = service.read(new)
    service.run_script(MOVE)
    assert service.read(new) == marked
    # Resolved, but not committed.
    service.path(new).write_text(versions[2].replace("\n", "\n# ours\n", 1))
    for add in (False, True):
        if add:
            git(service.directory, "add", "--all")
        updated = service.files()
        service.run_script(MOVE)
        assert service.files() == updated


def test_moved_file_that_team_deleted_stays_deleted(service_at: ServiceFactory) -> None:
    service = service_at("0.8.0")
    service.remove(f"{KIT}/etag.py")

    service.update()

    assert not service.path(f"{KIT}/http/etag.py").exists()
    assert service.path(f"{KIT}/http/schemas.py").exists()
    assert service.conflicts() == []


def test_other_line_length_causes_no_conflict(
    service_at: ServiceFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    service = service_at("0.7.0")
    service.write("ruff.toml", 'extend = "pyproject.toml"\nline-length = 120\n')
    reformat = (sys.executable, "-m", "ruff", "format", "--quiet", "src", "tests")
    succeed(*reformat, cwd=service.directory)
    service.commit()

    service.update()

    assert service.conflicts() == []
    assert "which you changed" not in capfd.readouterr().out


def test_import_of_session_dependency_is_rewritten(
    service_at: ServiceFactory, interpreter: Interpreter
) -> None:
    service = service_at("0.9.0")
    feature = "src/app/features/ping.py"
    names = "Database, DatabaseDep, SessionDep"
    service.write(feature, f"from app.kit.db.session import {names}\n\nUSED = ({names})\n")
    service.append(f"{KIT}/db/session.py", f"\n\n{ADDED['db/session']}")

    service.update()

    assert service.conflicts() == []
    assert ADDED["db/session"] in service.read(f"{KIT}/db/session.py")
    text = service.read(feature)
    assert "from app.kit.db.session import Database\n" in text
    assert "from app.kit.http.dependencies import DatabaseDep, SessionDep\n" in text
    interpreter.run_module(service.directory, "py_compile", feature)


def test_file_that_python_cannot_parse_is_reported(service_at: ServiceFactory) -> None:
    service = service_at("0.8.0")
    broken = "from app.kit.errors import (\n"
    service.write("src/app/features/broken.py", broken)
    command = (sys.executable, "-m", "copier", "update", "--defaults", "--trust")

    output = subprocess.run(
        command, cwd=Path(service.directory), capture_output=True, text=True, check=True
    ).stdout

    assert "src/app/features/broken.py: not rewritten, because Python" in output
    assert service.read("src/app/features/broken.py") == broken


def test_edits_of_a_command_move_to_devtools(service_at: ServiceFactory) -> None:
    service = service_at("0.11.0")
    command = f"{KIT}/cli/commands/diagram.py"
    service.replace(command, 'FILE_NAME = "schema.md"', 'FILE_NAME = "tables.md"')
    own = "tests/features/test_tables.py"
    service.write(own, f"{IMPORTED.format('app.kit.cli.commands.diagram')}assert page\n")
    # Before 0.9.0, `problems` was a function.
    other = "from app.kit.errors import problems\n\nprint(problems.NotFound)\n"
    service.write("src/app/features/other.py", other)

    service.update()

    assert service.conflicts() == []
    assert 'FILE_NAME = "tables.md"' in service.read("devtools/schema_diagram.py")
    assert "app.kit.cli.service import get_service, write_or_check" in service.read(
        "devtools/schema_diagram.py"
    )
    assert service.read(own).startswith(IMPORTED.format("schema_diagram"))
    assert not service.path(command).exists()
    assert service.read("src/app/features/other.py") == other
