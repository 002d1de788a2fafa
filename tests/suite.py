"""Adds the conformance suite, which tests the kit, to a service."""

import shutil
from pathlib import Path

from tests.rendering import ROOT

SUITE_FOLDER = Path("tests/conformance")
SUITE = ROOT / SUITE_FOLDER
FEATURES = SUITE_FOLDER / "features"
# Each part needs a separate process, because `features` adds models and routers to the service.
PARTS = [[str(SUITE_FOLDER), f"--ignore={FEATURES}"], [str(FEATURES)]]

AUTH, EXAMPLE, SOFT_DELETE, TRACING = "auth", "example", "soft_delete", "tracing"
# Tests of modules that not every service has.
REQUIREMENTS: dict[str, list[str]] = {
    "example": [EXAMPLE],
    "example/test_callers.py": [EXAMPLE, AUTH],
    "example/test_caller_spans.py": [EXAMPLE, AUTH, TRACING],
    "features/test_soft_*.py": [SOFT_DELETE],
    "kit/architecture/test_soft_delete.py": [SOFT_DELETE],
    "kit/auth": [AUTH],
    "kit/observability/test_tracing.py": [TRACING],
    "support/identity_provider.py": [AUTH],
    "test_request_path.py": [EXAMPLE],
}


def add_suite(service: Path) -> Path:
    """Copy the suite into a service, without tests of modules that it lacks; return the service."""
    ignored = shutil.ignore_patterns("__pycache__", "__main__.py")
    shutil.copytree(SUITE, service / SUITE_FOLDER, ignore=ignored, dirs_exist_ok=True)
    modules = modules_of(service)
    for pattern, required in REQUIREMENTS.items():
        if not modules.issuperset(required):
            for path in (service / SUITE_FOLDER).glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return service


def modules_of(service: Path) -> set[str]:
    """Return the optional modules that a service has."""
    kit = service / "src/app/kit"
    tracing = kit / "observability/tracing.py"
    is_included = {
        AUTH: (kit / "auth").is_dir(),
        EXAMPLE: (service / "src/app/example").is_dir(),
        SOFT_DELETE: (kit / "db/soft_delete.py").is_file(),
        TRACING: tracing.is_file() and "opentelemetry" in tracing.read_text(),
    }
    return {name for name, present in is_included.items() if present}


def parts_of(names: list[str]) -> list[list[str]]:
    """Return the pytest arguments of each process, for all tests or for some files and folders."""
    if not names:
        return PARTS
    paths = [str(SUITE_FOLDER / name.removeprefix(f"{SUITE_FOLDER}/")) for name in names]
    features = [path for path in paths if path.startswith(str(FEATURES))]
    return [part for part in ([path for path in paths if path not in features], features) if part]
