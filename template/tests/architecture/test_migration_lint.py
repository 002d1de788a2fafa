"""No migration takes long locks or breaks running code: squawk checks the SQL of each one.

`.squawk.toml` excludes rules, and exempts individual migrations.
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

from app.kit.migrations.runner import PROJECT_ROOT, alembic_config
from tests.support.database import settings_for

REMEDY = """
Change the migration as described. If it is safe, add this line below a comment with the reason:
# squawk-ignore-file RULE
List migrations that production already has in .squawk.toml, see docs/database.md."""

# Offline mode needs no database.
SETTINGS = settings_for(make_url("postgresql://nobody@127.0.0.1:1/test"))
_SQUAWK = PROJECT_ROOT / ".squawk.toml"
_PROGRAM = Path(sysconfig.get_path("scripts")) / "squawk"
_PRAGMA = re.compile(r"^# (squawk-ignore-file.*)$", re.MULTILINE)


def lint_errors(config: Config, folder: Path) -> list[str]:
    """Return one message per unsafe statement: migration file, rule, problem and fix."""
    for script in ScriptDirectory.from_config(config).walk_revisions():
        # A merge migration contains no SQL.
        if not script.is_merge_point:
            _write(config, script, folder)
    files = [str(path) for path in sorted(folder.glob("*.sql"))]
    return [_format(problem) for problem in _run_squawk(files)] if files else []


def _write(config: Config, script: Script, folder: Path) -> None:
    config.output_buffer = io.StringIO()
    (previous,) = to_tuple(script.down_revision) or ("base",)
    with redirect_stdout(io.StringIO()):
        command.upgrade(config, f"{previous}:{script.revision}", sql=True)
    source = Path(script.path)
    pragmas = [f"-- {pragma}\n" for pragma in _PRAGMA.findall(source.read_text())]
    sql = config.output_buffer.getvalue()
    (folder / f"{source.stem}.sql").write_text("".join(pragmas) + sql)


def _run_squawk(files: list[str]) -> list[dict[str, Any]]:
    result = subprocess.run(
        [_PROGRAM, "--config", _SQUAWK, "--reporter", "json", *files],
        capture_output=True,
        text=True,
        check=False,  # squawk exits with 1 when it reports a problem
    )
    assert result.stdout, result.stderr
    problems: list[dict[str, Any]] = json.loads(result.stdout)
    return problems


def _format(problem: dict[str, Any]) -> str:
    revision = Path(problem["file"]).with_suffix(".py").name
    texts = [problem["message"], problem["help"] or ""]
    return f"{revision}: {problem['rule_name']}: {' '.join(texts).strip()}"


def test_migrations_of_this_service_are_safe(tmp_path: Path) -> None:
    found = lint_errors(alembic_config(SETTINGS), tmp_path)
    assert not found, "\n".join(["", *found, REMEDY])
