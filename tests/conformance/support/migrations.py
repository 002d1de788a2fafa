"""Add migrations to those of the service."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from app.kit.migrations.runner import alembic_config
from app.settings import Settings

_REVISION = '''"""A revision of the tests."""

from alembic import op
import sqlalchemy as sa

from app.kit.migrations.operations import outside_transaction

revision, down_revision = {name!r}, {before!r}


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''


def alembic_with(folder: Path, settings: Settings) -> Config:
    """Return an Alembic configuration with the service's migrations and those in `folder`."""
    config = alembic_config(settings)
    script = ScriptDirectory.from_config(config)
    config.set_main_option("path_separator", "newline")
    locations = "\n".join([script.versions, str(folder)])
    config.set_main_option("version_locations", locations.replace("%", "%%"))
    return config


def add_revision(
    config: Config, folder: Path, name: str, *upgrade: str, downgrade: str = "pass"
) -> None:
    """Write a migration after the current head, with these lines as its `upgrade`."""
    before = ScriptDirectory.from_config(config).get_current_head()
    body = "\n    ".join(upgrade)
    text = _REVISION.format(name=name, before=before, upgrade=body, downgrade=downgrade)
    (folder / f"{name}.py").write_text(text)
