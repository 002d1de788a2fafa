"""`scaffold`: write a feature. Installs the generator from the repository of the template.

It is the generator of the commit that `.copier-answers.yml` names. uv downloads it on first use
into its cache, not into the environment of the service.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import typer

from app.kit.cli.errors import CommandFailed
from app.kit.cli.service import get_service
from app.kit.migrations.runner import PROJECT_ROOT

commands = typer.Typer()

REQUIREMENT = "copier-fastapi-sqlalchemy-scaffold @ git+{}@{}#subdirectory=scaffold"
# Prints the folders of the generator and of its dependencies.
_PRINT_FOLDERS = """
import jinja2, pathlib, scaffold
print(*(pathlib.Path(each.__file__).parents[1] for each in (scaffold, jinja2)), sep="\\n")
"""


# The generator reads the options and prints the help itself.
@commands.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def scaffold(context: typer.Context) -> None:
    """Write a feature: model, endpoints, tests and migration; or add a field to one."""
    run_generator(PROJECT_ROOT, get_service(context).name, context.args)


def run_generator(root: Path, service: str, arguments: list[str]) -> None:
    """Run `scaffold` with these arguments. Raises CommandFailed."""
    spec = find_spec("scaffold")
    # A folder without `__init__.py` is not the generator.
    if spec is None or spec.origin is None:
        sys.path += _install(root, uv_options(root, service))
    import_module("scaffold.command").run(arguments, service)


def uv_options(root: Path, service: str) -> list[str]:
    """Return the options of `uv run` that add the generator for a service.

    Raises CommandFailed if `.copier-answers.yml` does not name the template.
    """
    answers = root / ".copier-answers.yml"
    text = answers.read_text(encoding="utf-8") if answers.exists() else ""
    source, commit = _yaml_value(text, "_src_path"), _yaml_value(text, "# Commit")  # a comment
    url, folder = git_url(source), root / Path(source).expanduser()
    if source and not url and folder.is_dir():
        if not _has_commit(folder, commit):
            # A template without Git, or uncommitted changes of the template.
            return ["--with-editable", str(folder / "scaffold")]
        url = folder.resolve().as_uri()
    if url and commit:
        return ["--with", REQUIREMENT.format(url, commit)]
    requirement = REQUIREMENT.format("ADDRESS", _yaml_value(text, "_commit") or "RELEASE")
    raise CommandFailed(
        f"{answers.name} does not lead to the template{source and f', {source}'}. Name its "
        f"address: uv run --with '{requirement}' {service} scaffold …"
    )


def git_url(source: str) -> str:
    """Return the URL for a `_src_path` of Copier, or an empty text for a local path."""
    for shortcut, host in (("gh:", "github.com"), ("gl:", "gitlab.com")):
        if source.startswith(shortcut):
            path = source.removeprefix(shortcut).strip("/").removesuffix(".git")
            return f"https://{host}/{path}.git"
    # git@example.org:team/template.git
    source = re.sub(r"^([\w.-]+@[\w.-]+):/?", r"ssh://\1/", source.removeprefix("git+"))
    return source if re.match(r"[a-z]{3,}://", source) else ""


def _yaml_value(text: str, name: str) -> str:
    """Return the value of a line of YAML, or an empty text."""
    found = re.search(rf"^{name}: (.+(?:\n +.+)*)", text, re.MULTILINE)
    value = re.sub(r"\n +", " ", found[1]) if found else ""
    if value.startswith("'"):
        return value[1:-1].replace("''", "'")
    return str(ast.literal_eval(value)) if value.startswith('"') else value


def _has_commit(repository: Path, commit: str) -> bool:
    command = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
    if not (commit and shutil.which("git")):
        return False
    return subprocess.run(command, cwd=repository, capture_output=True, check=False).returncode == 0


def _install(root: Path, options: list[str]) -> list[str]:
    """Install the generator into the cache of uv; return the folders to import it from."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        raise CommandFailed("scaffold needs uv: install it with `python3 -m pip install uv`.")
    # Without the password and the commit.
    address = re.sub(r"(?<=//)[^/@]+@|@\w+#.*", "", options[1].rpartition("git+")[2])
    command = [uv, "run", "--quiet", "--no-project", "--python", sys.executable, *options]
    reasons: list[str] = []
    # Only the first use needs the network. Later ones find the generator in the cache.
    for network in (["--offline"], []):
        if not network:
            print(f"Downloading the generator: {address}", file=sys.stderr)
        result = subprocess.run(
            [*command, *network, "python", "-I", "-c", _PRINT_FOLDERS],
            # For the settings of uv in pyproject.toml, such as an index.
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode == 0:
            return result.stdout.splitlines()
        lines = [line.strip().removeprefix("cause: ") for line in result.stderr.splitlines()]
        reasons = [line for line in lines if line.startswith("fatal: ")] or lines[-1:]
    raise CommandFailed(
        f"scaffold cannot download its generator: {' '.join(reasons[:1]).rstrip('.')}. Check "
        f"git, the network and your access to {address}."
    )
