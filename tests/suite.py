"""Adds the conformance suite, which tests the kit, to a service."""

import shutil
from pathlib import Path

from tests.rendering import ROOT

PLACE = Path("tests/conformance")
SUITE = ROOT / PLACE
FEATURES = PLACE / "features"
# Each part needs a separate process, because `features` adds models and routers to the service.
PARTS = [[str(PLACE), f"--ignore={FEATURES}"], [str(FEATURES)]]


def add_suite(service: Path) -> Path:
    """Copy the suite into a service; return the service."""
    ignored = shutil.ignore_patterns("__pycache__", "__main__.py")
    shutil.copytree(SUITE, service / PLACE, ignore=ignored, dirs_exist_ok=True)
    return service


def parts_of(named: list[str]) -> list[list[str]]:
    """Return the pytest arguments of each process, for all tests or for some files and folders."""
    if not named:
        return PARTS
    paths = [str(PLACE / name.removeprefix(f"{PLACE}/")) for name in named]
    features = [path for path in paths if path.startswith(str(FEATURES))]
    return [part for part in ([path for path in paths if path not in features], features) if part]
