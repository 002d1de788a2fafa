"""Forms and uploads need python-multipart, which a service does not include."""

import os
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.processes import UV, run, succeed
from tests.rendering import RenderService
from tests.services import Interpreter, database_url, new_database
from tests.suite import FEATURES, add_suite

FEATURE = '''"""Uploads."""

from fastapi import APIRouter, UploadFile


router = APIRouter(prefix="/uploads", tags=["uploads"])


@router.post("")
async def upload(file: UploadFile) -> int:
    """Return the size of a file."""
    return len(await file.read())
'''


def add_upload_feature(directory: Path) -> None:
    """Add an upload endpoint, without adding python-multipart."""
    (directory / "src/app/features/uploads.py").write_text(FEATURE, encoding="utf-8")


@pytest.mark.slow
def test_upload_without_python_multipart_fails_at_start(
    service: RenderService, interpreter: Interpreter
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
    service: RenderService, interpreter: Interpreter, server: URL, mypy_cache: Path, tmp_path: Path
) -> None:
    directory = add_suite(service())
    add_upload_feature(directory)
    added = tmp_path / "added"
    install = (UV, "pip", "install", "--quiet", "--python", interpreter.python, "--target", added)
    succeed(*install, "python-multipart>=0.0.20,<1", cwd=tmp_path)

    interpreter.run_module(
        directory, "mypy", "--cache-dir", mypy_cache, "src", FEATURES / "test_forms.py"
    )
    tested = succeed(
        *(interpreter.python, "-m", "pytest", "-q", FEATURES / "test_forms.py"),
        cwd=directory,
        PYTHONPATH=os.pathsep.join(["src", str(added)]),
        DATABASE_URL=database_url(new_database(server)),
    )
    assert "skipped" not in tested.stdout
