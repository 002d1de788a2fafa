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


def add_upload_feature(place: Path) -> None:
    """Add an upload endpoint, without adding python-multipart."""
    (place / "src/app/features/uploads.py").write_text(FEATURE, encoding="utf-8")


@pytest.mark.slow
def test_upload_without_python_multipart_fails_at_start(
    service: Copy, interpreter: Interpreter
) -> None:
    place = service()
    add_upload_feature(place)

    words = (interpreter.python, "-c", "import app.features.uploads")
    ended = run(*words, cwd=place, PYTHONPATH="src")

    assert ended.returncode == 1
    assert 'Form data requires "python-multipart" to be installed' in ended.stdout
    assert "pip install python-multipart" in ended.stdout


@pytest.mark.slow
def test_forms_and_uploads_work_with_python_multipart(
    service: Copy, server: URL, tmp_path: Path
) -> None:
    place = add_suite(service())
    add_upload_feature(place)
    project = place / "pyproject.toml"
    declared = project.read_text(encoding="utf-8")
    added = f'{MARKER}    "python-multipart>=0.0.20,<1",\n'
    project.write_text(declared.replace(MARKER, added, 1), encoding="utf-8")

    interpreter = interpreter_for(place, tmp_path / "python", RUNNING_VERSION)

    interpreter.succeeds(place, "mypy", "src", FEATURES / "test_forms.py")
    interpreter.succeeds(
        place,
        *("pytest", "-q", FEATURES / "test_forms.py"),
        DATABASE_URL=address(new_database(server)),
    )
