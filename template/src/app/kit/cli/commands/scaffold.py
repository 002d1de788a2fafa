"""`scaffold`: write a feature. The first use downloads the generator from the template.

It is the generator of the commit that this service was generated from. uv installs it into its
cache, not into the environment of the service.
"""

import ast
import re
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from pydantic_settings import BaseSettings

from app.kit.cli.development_database import PROJECT_ROOT, is_development
from app.kit.cli.errors import CommandFailed
from app.kit.cli.service import get_service

commands = typer.Typer()

# The generator reads the options and prints the help itself.
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
# Prints the folders of the generator and of its dependencies.
_FOLDERS = """
import jinja2, pathlib, scaffold
print(*(pathlib.Path(each.__file__).parents[1] for each in (scaffold, jinja2)), sep="\\n")
"""


class _Environment(BaseSettings):
    # `uv run` sets it to its path.
    uv: str | None = None


if is_development():

    @commands.command(add_help_option=False, context_settings=_PASS_ON)
    def scaffold(context: typer.Context) -> None:
        """Write a feature: model, endpoints, tests and migration; or add a field to one."""
        name = get_service(context).name
        load_generator(PROJECT_ROOT / ".copier-answers.yml", name).run(context.args, name)


def load_generator(answers: Path, service: str) -> Any:
    """Return the module of the generator. Raises CommandFailed if it cannot be installed."""
    spec = find_spec("scaffold")
    # A folder without `__init__.py` is not the generator.
    if spec is None or spec.origin is None:
        sys.path += _install(uv_options(answers, service))
    return import_module("scaffold.command")


def uv_options(answers: Path, service: str) -> list[str]:
    """Return the options of `uv run` that add the generator for this service.

    Raises CommandFailed if the answers file does not name the template.
    """
    text = answers.read_text(encoding="utf-8") if answers.exists() else ""
    source, commit = _value(text, "_src_path"), _value(text, "# Commit")
    url, folder = git_url(source), answers.parent / Path(source).expanduser()
    if source and not url and folder.is_dir():
        if not _has_commit(folder, commit):
            # A template without Git, or a service with uncommitted changes of the template.
            return ["--with-editable", str(folder / "scaffold")]
        url = folder.resolve().as_uri()
    package = "copier-fastapi-sqlalchemy-scaffold @ git+{}@{}#subdirectory=scaffold"
    if not (url and commit):
        release = _value(text, "_commit") or "RELEASE"
        raise CommandFailed(
            f"{answers.name} does not lead to the template{source and f', {source}'}. Name its "
            f"address: uv run --with '{package.format('ADDRESS', release)}' {service} scaffold …"
        )
    return ["--with", package.format(url, commit)]


def git_url(source: str) -> str:
    """Return the URL for a `_src_path` of Copier, or an empty text for a local path."""
    for shortcut, host in (("gh:", "github.com"), ("gl:", "gitlab.com")):
        if source.startswith(shortcut):
            path = source.removeprefix(shortcut).strip("/").removesuffix(".git")
            return f"https://{host}/{path}.git"
    # git@example.org:team/template.git
    source = re.sub(r"^([\w.-]+@[\w.-]+):/?", r"ssh://\1/", source.removeprefix("git+"))
    return source if re.match(r"[a-z]{3,}://", source) else ""


def _value(text: str, name: str) -> str:
    """Return the value of a line of YAML, or an empty text."""
    found = re.search(rf"^{name}: (.+(?:\n +.+)*)", text, re.MULTILINE)
    value = re.sub(r"\n +", " ", found[1]) if found else ""
    if value.startswith("'"):
        return value[1:-1].replace("''", "'")
    return str(ast.literal_eval(value)) if value.startswith('"') else value


def _has_commit(repository: Path, commit: str) -> bool:
    git = shutil.which("git")
    if not (git and commit):
        return False
    ended = subprocess.run(  # noqa: S603 - a hash from a file of the template
        [git, "cat-file", "-e", f"{commit}^{{commit}}"],
        cwd=repository,
        capture_output=True,
        check=False,
    )
    return ended.returncode == 0


def _install(options: list[str]) -> list[str]:
    """Install the generator into the cache of uv; return the folders to import it from."""
    uv = _Environment().uv or shutil.which("uv")
    if not uv:
        raise CommandFailed("scaffold needs uv: install it with `python3 -m pip install uv`.")
    address = re.sub(r"//[^/@]+@", "//", options[1].rpartition("git+")[2])
    command = [uv, "run", "--quiet", "--no-project", "--python", sys.executable, *options]
    reasons: list[str] = []
    # The first use needs the network; the others find the generator in the cache.
    for network in (["--offline"], []):
        if not network:
            typer.echo(f"Downloading the generator: {address}", err=True)
        ended = subprocess.run(  # noqa: S603 - the address is in a file of the template
            [*command, *network, "python", "-I", "-c", _FOLDERS],
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode == 0:
            return ended.stdout.splitlines()
        lines = [line.strip().removeprefix("cause: ") for line in ended.stderr.splitlines()]
        reasons = [line for line in lines if line.startswith("fatal: ")] or lines[-1:]
    raise CommandFailed(
        f"scaffold cannot download its generator: {' '.join(reasons[:1])} Check the network and "
        f"your access to {address}."
    )
