"""Installation of each application in a separate environment."""

import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from benchmarks import ROOT
from benchmarks.targets import ORM, S3RIUS, SERVICE, App
from tests.rendering import copy_of_working_tree, render_from

UV = find_uv_bin()
APPS_DIRECTORY = Path(__file__).parent / "apps"
ROUTER_MARKER = "    # ---- the template's end here, your features follow ----"
IMPORT_MARKER = "# ---- the template's end here, the imports of your features follow ----"


# Prints the optimization flags, too: a distribution may optimize without this option.
_DESCRIBE = """
import platform, sysconfig
built = sysconfig.get_config_var
optimized = "--enable-optimizations" in (built("CONFIG_ARGS") or "")
flags = " ".join(flag for flag in built("PY_CFLAGS").split() if flag.startswith("-O"))
print(f"{platform.python_implementation()} {platform.python_version()}, configured",
      "with" if optimized else "without", f"--enable-optimizations, {flags}")
"""


class AppUnavailable(Exception):
    """The application could not be installed or started."""


@dataclass(frozen=True)
class InstalledApp:
    """An installed application."""

    app: App
    python: Path
    directory: Path


def install(app: App, parent: Path, interpreter: str) -> InstalledApp:
    """Install an application.

    Raises:
        AppUnavailable: A command failed; contains the end of its output.
    """
    directory = parent / app.name
    directory.mkdir()
    python = directory / ".venv" / "bin" / "python"
    if app.name == SERVICE:
        directory = _render_service(parent)
        _run(UV, "sync", "--no-dev", "--no-install-project", "--python", interpreter, cwd=directory)
        _run(UV, "pip", "install", "--python", str(python), "uuid-utils", cwd=directory)
        return InstalledApp(app, python, directory)
    _run(UV, "venv", "--python", interpreter, str(directory / ".venv"), cwd=directory)
    _install(python, *app.requirements)
    if app.name == S3RIUS:
        directory = _generate_s3rius_project(python, directory)
    return InstalledApp(app, python, directory)


def _render_service(parent: Path) -> Path:
    """Render the default service from the working tree, and add the measured feature."""
    service = parent / SERVICE
    render_from(str(copy_of_working_tree(parent / "template")), service)
    shutil.copytree(APPS_DIRECTORY / "feature", service / "src/app/features/measured")
    registry = service / "src/app/registry.py"
    text = registry.read_text()
    # Only `benchmarks.ablation` uses the second router.
    added = """
from app.features.measured.router import router as measured
from app.features.measured.ablations import router as without"""
    text = text.replace(IMPORT_MARKER, f"{IMPORT_MARKER}{added}")
    registry.write_text(
        text.replace(ROUTER_MARKER, f"{ROUTER_MARKER}\n    measured,\n    without,")
    )
    return service


def _generate_s3rius_project(python: Path, directory: Path) -> Path:
    """Generate a project with its example, and add the measured endpoints."""
    options = ["--name", "peer", "--api-type", "rest", "--db", "postgresql", "--orm", "sqlalchemy"]
    options += ["--ci", "none", "--dummy", "--routers", "--force", "--quiet"]
    # Offline, so that it does not install the dependencies with another interpreter.
    offline = {"PATH": f"{Path(UV).parent}{os.pathsep}{os.environ['PATH']}", "UV_OFFLINE": "1"}
    _run(str(python), "-m", S3RIUS, *options, cwd=directory, **offline)
    project = directory / "peer"
    dependencies = tomllib.loads((project / "pyproject.toml").read_text())["project"][
        "dependencies"
    ]
    _install(python, *dependencies, *ORM)
    (project / "peer/web/api/posts.py").write_text((APPS_DIRECTORY / "s3rius.py").read_text())
    router = project / "peer/web/api/router.py"
    router.write_text(
        router.read_text()
        + "\nfrom peer.web.api import posts\napi_router.include_router(posts.router)\n"
    )
    lifespan = project / "peer/web/lifespan.py"
    # Its settings do not support Unix sockets, which all targets use.
    text = lifespan.read_text().replace(
        "str(settings.db_url)", '__import__("os").environ["DATABASE_URL"]'
    )
    lifespan.write_text(text)
    return project


def _install(python: Path, *requirements: str) -> None:
    _run(UV, "pip", "install", "--python", str(python), *requirements, cwd=python.parent)


def _run(*command: str, cwd: Path, **variables: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    result = subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, "UV_PYTHON_DOWNLOADS": "never", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        raise AppUnavailable(
            f"{Path(command[0]).name} {command[1]}: {result.stdout.strip()[-300:]}"
        )


def migrate(service: InstalledApp, database: str) -> None:
    """Apply the migrations of the service."""
    environment = {"DATABASE_URL": database, "PYTHONPATH": "src"}
    _run(
        str(service.python),
        "-m",
        "alembic",
        "upgrade",
        "head",
        cwd=service.directory,
        **environment,
    )


def versions(installed: InstalledApp) -> dict[str, str]:
    """Return the installed versions by distribution."""
    listed = subprocess.run(
        [UV, "pip", "list", "--format", "freeze", "--python", str(installed.python)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return dict(line.split("==", 1) for line in listed.splitlines() if "==" in line)


def interpreter(installed: InstalledApp) -> str:
    """Return the version of Python and the options of its build."""
    return subprocess.run(
        [str(installed.python), "-c", _DESCRIBE], check=True, capture_output=True, text=True
    ).stdout.strip()


def python_path(installed: InstalledApp) -> str:
    """Return the PYTHONPATH of an application, including this package."""
    return os.pathsep.join(map(str, [installed.directory / "src", installed.directory, ROOT]))
