"""No revision changes the schema in a way that stops the service while it is in use.

squawk knows such changes; `.squawk.toml` says which of its rules do not apply, and to which
revisions none.
"""

import io
import json
import re
import subprocess
import sysconfig
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple
from sqlalchemy import make_url

from app.kit.db.migrate import PROJECT_ROOT, alembic_config
from tests.rig.database import settings_for

REMEDY = """
Change the revision as it says; or, where you know better, write in it, with the reason above:
# squawk-ignore-file RULE
A revision that production already has is listed in .squawk.toml; docs/database.md tells more."""

# What is asked needs no database.
SETTINGS = settings_for(make_url("postgresql://nobody@127.0.0.1:1/test"))
_SQUAWK = PROJECT_ROOT / ".squawk.toml"
_PROGRAM = Path(sysconfig.get_path("scripts")) / "squawk"
_PRAGMA = re.compile(r"^# (squawk-ignore-file.*)$", re.MULTILINE)


def complaints(config: Config, place: Path) -> list[str]:
    """What is unsafe: the revision's file, the rule, what is wrong, how to mend it."""
    for script in ScriptDirectory.from_config(config).walk_revisions():
        # One that joins two lines changes nothing.
        if not script.is_merge_point:
            _write(config, script, place)
    files = [str(path) for path in sorted(place.glob("*.sql"))]
    return [_told(complaint) for complaint in _ask(files)] if files else []


def _write(config: Config, script: Script, place: Path) -> None:
    config.output_buffer = io.StringIO()
    (before,) = to_tuple(script.down_revision) or ("base",)
    with redirect_stdout(io.StringIO()):
        command.upgrade(config, f"{before}:{script.revision}", sql=True)
    source = Path(script.path)
    pragmas = [f"-- {pragma}\n" for pragma in _PRAGMA.findall(source.read_text())]
    sql = config.output_buffer.getvalue()
    (place / f"{source.stem}.sql").write_text("".join(pragmas) + sql)


def _ask(files: list[str]) -> list[dict[str, Any]]:
    asked = subprocess.run(
        [_PROGRAM, "--config", _SQUAWK, "--reporter", "json", *files],
        capture_output=True,
        text=True,
        check=False,  # what it finds is an error for it, too
    )
    assert asked.stdout, asked.stderr
    found: list[dict[str, Any]] = json.loads(asked.stdout)
    return found


def _told(complaint: dict[str, Any]) -> str:
    revision = Path(complaint["file"]).with_suffix(".py").name
    texts = [complaint["message"], complaint["help"] or ""]
    return f"{revision}: {complaint['rule_name']}: {' '.join(texts).strip()}"


def test_the_revisions_of_this_service_are_safe(tmp_path: Path) -> None:
    found = complaints(alembic_config(SETTINGS), tmp_path)
    assert not found, "\n".join(["", *found, REMEDY])
