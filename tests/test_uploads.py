"""Forms and uploads need python-multipart, which a service does not include."""

from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.processes import run
from tests.rendering import Copy
from tests.services import RUNNING_VERSION, Interpreter, address, interpreter_for, new_database
from tests.suite import FEATURES, add_suite

FEATURE = '''"""Uploads."""

from fastapi import APIRouter, UploadFile


router = APIRouter(prefix="/uploads", tags=["uploads"])


@router.post("")
async def upload(file: UploadFile) -> int:
    """Return the size of a file."""
    return len(await file.read())
'''
MARKER = "    # ---- the template's end here, yours follow ----\n"


def add_upload_feature(directory: Path) -> None:
    """Add an upload endpoint, without adding python-multipart."""
    (directory / "src/app/features/uploads.py").write_text(FEATURE, encoding="utf-8")


@pytest.mark.slow
def test_upload_without_python_multipart_fails_at_start(
    service: Copy, interpreter: Interpreter
) -> None:
    directory = service()
    add_upload_feature(directory)

    words = (interpreter.python, "-c", "import app.features.uploads")
    result = run(*words, cwd=directory, PYTHONPATH="src")

    assert result.returncode == 1
    assert 'Form data requires "python-multipart" to be installed' in result.stdout
    assert "pip install python-multipart" in result.stdout


@pytest.mark.slow
def test_forms_and_uploads_work_with_python_multipart(
    service: Copy, server: URL, tmp_path: Path
) -> None:
    directory = add_suite(service())
    add_upload_feature(directory)
    project = directory / "pyproject.toml"
    declared = project.read_text(encoding="utf-8")
    added = f'{MARKER}    "python-multipart>=0.0.20,<1",\n'
    project.write_text(declared.replace(MARKER, added, 1), encoding="utf-8")

    interpreter = interpreter_for(directory, tmp_path / "python", RUNNING_VERSION)

    interpreter.succeeds(directory, "mypy", "src", FEATURES / "test_forms.py")
    interpreter.succeeds(
        directory,
        *("pytest", "-q", FEATURES / "test_forms.py"),
        DATABASE_URL=address(new_database(server)),
    )
