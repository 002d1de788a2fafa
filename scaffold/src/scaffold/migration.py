"""The migration of a feature or of its new fields."""

import ast
import subprocess
import sys

from app.kit.cli.errors import CommandFailed
from scaffold import service
from scaffold.editing import Edits
from scaffold.rendering import format_source
from scaffold.writing import read

_REVISION = "from app.cli import main; main()"


def write_migration(message: str) -> str:
    """Write a migration with the command `revision`, and return what it printed."""
    # In a new process, because this one has imported the models without the feature.
    ended = subprocess.run(
        [sys.executable, "-c", _REVISION, "revision", "-m", message],
        cwd=service.root(),
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        lines = (ended.stderr or ended.stdout).strip().splitlines()
        lines = [line for line in lines if not line.startswith("Waiting up to ")]
        raise CommandFailed(
            "The migration could not be written, so nothing was kept: "
            + ("\n".join(lines) if ended.returncode == 2 else "\n".join(lines[-3:]))
        )
    return ended.stdout.strip()


def fill_existing_rows(printed: str, column: str, value: str) -> str:
    """Give the existing rows a value in the migration that `revision` printed.

    Returns what it printed without the warning that the migration fails if the table has rows.
    """
    path, *lines = printed.splitlines()
    edits = Edits(path, read(path))
    for node in ast.walk(edits.function("upgrade")):
        match node:
            case ast.Expr(value=ast.Call(args=[table, ast.Call(args=[name, *_]) as new, *_])) if (
                ast.unparse(name) == repr(column)
            ):
                edits.last_item(new.keywords, f"server_default={value!r}")
                edits.after(
                    node,
                    "    # To deploy without downtime, drop the default in a later migration.\n"
                    f"    op.alter_column({ast.unparse(table)}, {column!r}, server_default=None)",
                )
            case _:
                pass
    text = format_source(path, edits.result())
    (service.root() / path).write_text(text, encoding="utf-8", newline="\n")
    return "\n".join([path, *(line for line in lines if "fails if the table has rows" not in line)])
