"""Actions of a team in its service: add a feature, write migrations, run tests."""

import subprocess
from pathlib import Path

from sqlalchemy import URL

from hooks.move_code import rewrite
from hooks.move_list import Moves
from tests.processes import run
from tests.services import Interpreter, database_url
from tests.updates.next_release import FORMER_KIT_FILE
from tests.updates.service import Service

IMPORTS = "# ---- the template's end here, the imports of your features follow ----\n"
# A feature with the names of the releases before 0.9.0.
NOTES = Path(__file__).parent / "notes"


class Team:
    """Runs commands of a service on one database."""

    def __init__(self, service: Service, interpreter: Interpreter, database: URL) -> None:
        self.service = service
        self._interpreter = interpreter
        self._database = database_url(database)

    def run(self, *command: str) -> str:
        """Run a module that must succeed; return its output."""
        return self._interpreter.run_module(
            self.service.directory, *command, DATABASE_URL=self._database
        )

    def try_run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a module that may fail."""
        return run(
            self._interpreter.python,
            "-m",
            *command,
            cwd=self.service.directory,
            PYTHONPATH="src",
            DATABASE_URL=self._database,
        )

    def migrate(self) -> None:
        """Apply all migrations."""
        self.run("alembic", "upgrade", "heads")

    def autogenerate_migration(self, message: str) -> str:
        """Autogenerate a migration; return its file name."""
        before = self.service.files().keys()
        self.run("alembic", "revision", "--autogenerate", "--message", message)
        [written] = self.service.files().keys() - before
        self.service.commit()
        return written

    def write_migration(self, message: str, code: str) -> None:
        """Write a migration with this code, which starts with its imports."""
        before = self.service.files().keys()
        self.run("alembic", "revision", "--message", message)
        [written] = self.service.files().keys() - before
        imports, functions = code.split("\n\n", 1)
        text = self.service.read(written).split("\n\n\ndef upgrade")[0]
        anchor = "from collections.abc import Sequence\n"
        text = text.replace(anchor, f"{anchor}\n{imports}\n")
        self.service.write(written, f"{text}\n\n{functions}")

    def merge_heads(self) -> None:
        """Merge the heads of the migrations, as the failing test of the service advises."""
        self.run("alembic", "merge", "heads", "--message", "join two lines")
        self.service.commit()

    def add_notes_feature(self) -> None:
        """Add a feature with endpoints, a table and tests."""
        moves = Moves.load()
        for source in NOTES.glob("*.py"):
            path = "tests/features/test_notes.py"
            if source.stem != "tests":
                path = f"src/app/features/notes/{source.name}"
            text = source.read_text()
            if not self.service.path(FORMER_KIT_FILE).exists():
                text = rewrite(text, f"app.features.notes.{source.stem}", moves)
            self.service.write(path, text)
        self.service.write("src/app/features/notes/__init__.py", "")
        imported = "from app.features.notes.router import router as notes\n"
        registry = self.service.read("src/app/registry.py")
        # Releases before 0.2.0 have no marker line for the team's imports.
        anchor = IMPORTS if IMPORTS in registry else "import router as users\n"
        self.service.replace("src/app/registry.py", anchor, anchor + imported)
        marker = "    # ---- the template's end here, your features follow ----\n"
        self.service.replace("src/app/registry.py", marker, f"{marker}    notes,\n")
