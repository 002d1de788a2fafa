"""docs/patterns.md of a service without the example contains working code and valid paths."""

import re
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.processes import succeed
from tests.rendering import Renderer, RenderService
from tests.services import Interpreter, database_url, new_database

FILE = re.compile(r"<!-- file: (\S+) -->\n```python\n(.*?)```", re.DOTALL)
NAMED = re.compile(r"`((?:kit|features|support)/\w[\w/]*\.py)`")
IMPORT = "from app.features.notes.router import router as notes\n"


def page_of(service: Path) -> str:
    """Return the text of docs/patterns.md."""
    return (service / "docs/patterns.md").read_text()


def write_feature(service: Path) -> None:
    """Write the files that the page shows, and register the feature."""
    for name, text in FILE.findall(page_of(service)):
        file = service / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    (service / "src/app/features/notes/__init__.py").touch()
    registry = service / "src/app/registry.py"
    lines = registry.read_text().splitlines(keepends=True)
    for marker, line in (("the imports of your", IMPORT), (", your features", "    notes,\n")):
        [number] = [index for index, text in enumerate(lines) if marker in text]
        lines.insert(number + 1, line)
    registry.write_text("".join(lines))


@pytest.mark.parametrize("soft_delete", [True, False])
def test_files_named_on_page_exist(render: Renderer, soft_delete: bool) -> None:
    service = render(example=False, soft_delete=soft_delete)
    page = page_of(service)
    assert "example/" not in page
    assert "docs/tutorial.md" in page
    own = {name for name, _ in FILE.findall(page)}
    for name in NAMED.findall(page):
        places = (service / "src/app" / name, service / "tests" / name)
        is_written = any(each.endswith(name) for each in own)
        assert is_written or any(directory.exists() for directory in places), name


@pytest.mark.slow
@pytest.mark.full_suite
def test_code_on_page_is_working_feature(
    service: RenderService, interpreter: Interpreter, server: URL, mypy_cache: Path
) -> None:
    directory = service(example=False)
    write_feature(directory)
    variables = {"DATABASE_URL": database_url(new_database(server)), "PYTHONPATH": "src:devtools"}

    words = (interpreter.python, "-c", "from app.cli import main; main()", "revision")
    succeed(*words, "-m", "add notes", cwd=directory, **variables)
    checks = ("tests/features", "tests/architecture")
    interpreter.run_module(
        directory, "pytest", "-q", *checks, DATABASE_URL=variables["DATABASE_URL"]
    )
    interpreter.run_module(directory, "ruff", "check", "--no-cache")
    interpreter.run_module(directory, "mypy", "--cache-dir", mypy_cache)
