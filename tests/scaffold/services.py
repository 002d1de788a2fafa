"""Services with scaffolded models, and the checks that each must pass."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import URL

from tests.processes import environment, succeed
from tests.rendering import ROOT, git
from tests.scaffold.random_models import Model
from tests.services import Interpreter, database_url, new_database

DRIVER = Path(__file__).with_name("driver.py")
# The modules of a service, and the generator.
PATHS = f"src:devtools:{ROOT}/scaffold/src"
# Writes a migration and runs it up and down, in one process.
MIGRATE = """
import sys
from alembic.config import main
from typer.testing import CliRunner

def run(*commands):
    for command in commands:
        main(command, prog="alembic")

run(["upgrade", "heads"])
from app.cli import cli
written = CliRunner().invoke(cli, ["revision", "-m", sys.argv[1]])
assert written.exit_code == 0, written.output
run(["upgrade", "heads"], ["check"], ["downgrade", "base"], ["upgrade", "heads"])
"""
CODE = ["src/app/features", "tests/features"]


def scaffold(interpreter: Interpreter, service: Path, calls: Sequence[Sequence[str]]) -> list[str]:
    """Scaffold in a service; return the message of each call, empty if it succeeded."""
    result = subprocess.run(
        [interpreter.python, DRIVER],
        cwd=service,
        env=environment(PYTHONPATH=PATHS),
        input=json.dumps(list(calls)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    messages: list[str] = json.loads(result.stdout)
    return messages


def scaffold_models(
    interpreter: Interpreter, server: URL, service: Path, models: Sequence[Model]
) -> None:
    """Scaffold models, then fields of them, each time with a migration."""
    git(service, "init", "--quiet")
    calls = [each.arguments for each in models]
    succeed_in(interpreter, service, calls)
    migrate(interpreter, server, service, "add models")
    # The driver does not import a model again, so models that others refer to change last.
    changed = [each for each in reversed(models) if each.added]
    added = [["field", each.name, *each.added, "--no-rows"] for each in changed]
    if added:
        succeed_in(interpreter, service, added)
        migrate(interpreter, server, service, "add fields")


def succeed_in(interpreter: Interpreter, service: Path, calls: Sequence[Sequence[str]]) -> None:
    """Scaffold in a service; fail with the calls that were refused."""
    messages = scaffold(interpreter, service, calls)
    failures = [
        f"{' '.join(call)}\n  {message}"
        for call, message in zip(calls, messages, strict=True)
        if message
    ]
    assert not failures, "\n".join(failures)


def migrate(interpreter: Interpreter, server: URL, service: Path, message: str) -> None:
    """Write a migration, and apply, compare, revert and apply all of them."""
    succeed(
        *(interpreter.python, "-c", MIGRATE, message),
        cwd=service,
        PYTHONPATH=PATHS,
        DATABASE_URL=database_url(new_database(server)),
    )


def check(
    interpreter: Interpreter,
    server: URL,
    service: Path,
    mypy_cache: Path,
    *,
    pyright: bool = False,
) -> None:
    """Check the format, the lint, the types, the architecture rules and the tests."""
    interpreter.run_module(service, "ruff", "format", "--no-cache", "--check", "--quiet", ".")
    interpreter.run_module(service, "ruff", "check", "--no-cache", "--quiet", ".")
    interpreter.run_module(service, "mypy", "--cache-dir", mypy_cache, *CODE)
    if pyright:
        settings = {"typeCheckingMode": "strict", "include": CODE, "extraPaths": ["src"]}
        (service / "pyrightconfig.json").write_text(json.dumps(settings))
        pyright_of = [sys.executable, "-m", "pyright", "--pythonpath", interpreter.python]
        succeed(*pyright_of, cwd=service)
    rules = [
        str(path) for path in sorted(service.glob("tests/*/test_*.py")) if has_code_rules(path)
    ]
    interpreter.run_module(
        service,
        *("pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/features", *rules),
        DATABASE_URL=database_url(server),
    )


def has_code_rules(path: Path) -> bool:
    """Return whether a test module has architecture rules for the code of features."""
    return path.stem in ("test_structure", "test_code_rules", "test_soft_delete")
