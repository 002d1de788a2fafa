"""No revision changes the schema in a way that stops the service while it is in use."""

from pathlib import Path

from sqlalchemy import make_url

from app.kit.db.migrate import alembic_config
from tests.architecture.migration_lint import complaints
from tests.rig.database import settings_for

REMEDY = """
Change the revision as it says; or, where you know better, write in it, with the reason above:
# squawk-ignore-file RULE
A revision that production already has is listed in .squawk.toml; docs/database.md tells more."""

# What is asked needs no database.
SETTINGS = settings_for(make_url("postgresql://nobody@127.0.0.1:1/test"))


def test_the_revisions_of_this_service_are_safe(tmp_path: Path) -> None:
    found = complaints(alembic_config(SETTINGS), tmp_path)
    assert not found, "\n".join(["", *found, REMEDY])
