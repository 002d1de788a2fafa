"""A test harness for generated migrations: models that change, in a separate database."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, MetaData, text

from app.kit.db.base import Base
from app.kit.db.engine import build_migration_engine
from app.kit.migrations.autogenerate.review import ReviewedOperation, write_migration
from app.kit.migrations.runner import alembic_config
from tests.support.database import settings_for

CONVENTION = Base.metadata.naming_convention


class Project:
    """The service's Alembic with the test's own models and migrations."""

    def __init__(self, url: URL, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.settings = settings_for(url)
        self._folder, self._patch = folder, patch
        self.operations: list[ReviewedOperation] = []
        # Skip formatting, which takes most of a test's time.
        patch.setattr(Config, "get_hooks_list", lambda _config: [])
        self.declare()

    @property
    def config(self) -> Config:
        config = alembic_config(self.settings)
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", str(self._folder))
        return config

    def declare(self, schema: str | None = None) -> MetaData:
        """Start the next version of the models; its tables go into the returned metadata."""
        metadata = MetaData(schema=schema, naming_convention=CONVENTION)
        self._patch.setattr(Base, "metadata", metadata)
        return metadata

    def revise(self) -> Path | None:
        """Generate a migration; return None if models and database are the same."""
        written, self.operations = write_migration(
            self.config, "change", version_path=str(self._folder)
        )
        return Path(written.path) if written else None

    def upgrade(self) -> None:
        command.upgrade(self.config, "head")

    def downgrade(self) -> None:
        command.downgrade(self.config, "-1")

    def check(self) -> None:
        """Fail if models and database differ."""
        command.check(self.config)

    def migrate(self) -> str:
        """Generate a migration, run it up, down and up again; return its source."""
        path = self.revise()
        assert path is not None, "no migration was generated"
        self.upgrade()
        self.downgrade()
        self.upgrade()
        self.check()
        return path.read_text()

    def sql(self) -> str:
        """Return the SQL of all migrations, in offline mode."""
        from io import StringIO

        config = self.config
        config.output_buffer = StringIO()
        command.upgrade(config, "head", sql=True)
        return config.output_buffer.getvalue()

    def execute(self, *statements: str) -> list[Any]:
        """Run statements in one transaction; return the first column of the last one's rows."""

        async def run() -> list[Any]:
            engine = build_migration_engine(self.settings.database, "test")
            found: list[Any] = []
            async with engine.begin() as connection:
                for statement in statements:
                    result = await connection.execute(text(statement))
                    found = list(result.scalars()) if result.returns_rows else []
            await engine.dispose()
            return found

        return asyncio.run(run())
