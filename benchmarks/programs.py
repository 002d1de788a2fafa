"""Makes each program ready to run, in an environment of its own."""

import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from benchmarks import ROOT
from benchmarks.lineup import GENERATOR, ORM, SERVICE, Program
from tests.rendering import copy_of_working_tree, render_from

UV = find_uv_bin()
HERE = Path(__file__).parent / "contenders"
MARKER = "    # ---- the template's end here, your features follow ----"
IMPORTS = "# ---- the template's end here, the imports of your features follow ----"


# A distribution may optimise in another way than by this option of configure.
_DESCRIBE = """
import platform, sysconfig
built = sysconfig.get_config_var
yes = "--enable-optimizations" in (built("CONFIG_ARGS") or "")
flags = " ".join(flag for flag in built("PY_CFLAGS").split() if flag.startswith("-O"))
print(f"{platform.python_implementation()} {platform.python_version()}, configured",
      "with" if yes else "without", f"--enable-optimizations, {flags}")
"""


class NotReady(Exception):
    """Why a program cannot be measured."""


@dataclass(frozen=True)
class Ready:
    """A program that can be started."""

    program: Program
    python: Path
    directory: Path


def prepare(program: Program, place: Path, interpreter: str) -> Ready:
    """Install a program; raises NotReady with the last words of what failed."""
    directory = place / program.name
    directory.mkdir()
    python = directory / ".venv" / "bin" / "python"
    if program.name == SERVICE:
        directory = _service(place)
        _run(UV, "sync", "--no-dev", "--no-install-project", "--python", interpreter, at=directory)
        _run(UV, "pip", "install", "--python", str(python), "uuid-utils", at=directory)
        return Ready(program, python, directory)
    _run(UV, "venv", "--python", interpreter, str(directory / ".venv"), at=directory)
    _install(python, *program.requirements)
    if program.name == GENERATOR:
        directory = _generated(python, directory)
    return Ready(program, python, directory)


def _service(place: Path) -> Path:
    """The default service, rendered from the working tree, with one more feature."""
    service = place / SERVICE
    render_from(str(copy_of_working_tree(place / "template")), service)
    shutil.copytree(HERE / "feature", service / "src/app/features/measured")
    registry = service / "src/app/registry.py"
    text = registry.read_text()
    # The second is asked by `benchmarks.savings` alone.
    added = """
from app.features.measured.router import router as measured
from app.features.measured.without import router as without"""
    text = text.replace(IMPORTS, f"{IMPORTS}{added}")
    registry.write_text(text.replace(MARKER, f"{MARKER}\n    measured,\n    without,"))
    return service


def _generated(python: Path, directory: Path) -> Path:
    """A project of the generator with its example, and ours written beside it."""
    options = ["--name", "peer", "--api-type", "rest", "--db", "postgresql", "--orm", "sqlalchemy"]
    options += ["--ci", "none", "--dummy", "--routers", "--force", "--quiet"]
    # It asks for uv and installs by itself, with an interpreter that only it chooses: not here.
    offline = {"PATH": f"{Path(UV).parent}{os.pathsep}{os.environ['PATH']}", "UV_OFFLINE": "1"}
    _run(str(python), "-m", GENERATOR, *options, at=directory, **offline)
    project = directory / "peer"
    wanted = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    _install(python, *wanted, *ORM)
    (project / "peer/web/api/posts.py").write_text((HERE / "s3rius.py").read_text())
    router = project / "peer/web/api/router.py"
    router.write_text(
        router.read_text()
        + "\nfrom peer.web.api import posts\napi_router.include_router(posts.router)\n"
    )
    lifespan = project / "peer/web/lifespan.py"
    # Its settings know no socket, over which all the others are connected.
    text = lifespan.read_text().replace(
        "str(settings.db_url)", '__import__("os").environ["DATABASE_URL"]'
    )
    lifespan.write_text(text)
    return project


def _install(python: Path, *requirements: str) -> None:
    _run(UV, "pip", "install", "--python", str(python), *requirements, at=python.parent)


def _run(*command: str, at: Path, **variables: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    ended = subprocess.run(
        command,
        cwd=at,
        env={**kept, "UV_PYTHON_DOWNLOADS": "never", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise NotReady(f"{Path(command[0]).name} {command[1]}: {ended.stdout.strip()[-300:]}")


def migrate(service: Ready, database: str) -> None:
    """Bring an empty database to what the service has."""
    environment = {"DATABASE_URL": database, "PYTHONPATH": "src"}
    _run(
        str(service.python), "-m", "alembic", "upgrade", "head", at=service.directory, **environment
    )


def versions(ready: Ready) -> dict[str, str]:
    """What is installed where a program runs, by name."""
    listed = subprocess.run(
        [UV, "pip", "list", "--format", "freeze", "--python", str(ready.python)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return dict(line.split("==", 1) for line in listed.splitlines() if "==" in line)


def interpreter(ready: Ready) -> str:
    """Which Python it is, and whether its build says that it was optimised."""
    return subprocess.run(
        [str(ready.python), "-c", _DESCRIBE], check=True, capture_output=True, text=True
    ).stdout.strip()


def search_path(ready: Ready) -> str:
    """Where a program finds its modules, and those of this package."""
    return os.pathsep.join(map(str, [ready.directory / "src", ready.directory, ROOT]))
