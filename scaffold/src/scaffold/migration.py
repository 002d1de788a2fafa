"""The migration of a new feature or of added fields."""

import ast
import subprocess
import sys

from app.kit.cli.errors import CommandFailed
from scaffold import service
from scaffold.editing import Edits
from scaffold.file_changes import read
from scaffold.rendering import format_source

_CLI = "from app.cli import main; main()"


def write_migration(message: str) -> str:
    """Write a migration with the command `revision`; return its output."""
    # In a new process, because this one has imported the models without the feature.
    result = subprocess.run(
        [sys.executable, "-c", _CLI, "revision", "-m", message],
        cwd=service.root(),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        lines = [line for line in lines if not line.startswith("Waiting up to ")]
        raise CommandFailed(
            "The migration could not be written, so nothing was kept: "
            + ("\n".join(lines) if result.returncode == 2 else "\n".join(lines[-3:]))
        )
    return result.stdout.strip()


def fill_existing_rows(printed: str, column: str, value: str) -> str:
    """Edit the migration so that existing rows get a value in a new column.

    `printed` is the output of `revision`, which begins with the path of the migration. Returns it
    without the warning that the migration fails if the table has rows.
    """
    path, *lines = printed.splitlines()
    edits = Edits(path, read(path))
    for node in ast.walk(edits.get_function("upgrade")):
        match node:
            case ast.Expr(
                value=ast.Call(args=[table, ast.Call(args=[name, *_]) as new_column, *_])
            ) if ast.unparse(name) == repr(column):
                edits.append_item(new_column.keywords, f"server_default={value!r}")
                edits.insert_after(
                    node,
                    "    # To deploy without downtime, drop the default in a later migration.\n"
                    f"    op.alter_column({ast.unparse(table)}, {column!r}, server_default=None)",
                )
            case _:
                pass
    text = format_source(path, edits.result())
    (service.root() / path).write_text(text, encoding="utf-8", newline="\n")
    return "\n".join([path, *(line for line in lines if "fails if the table has rows" not in line)])
