"""A service declares every package that it imports, each with an upper bound."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rendering import FLIPPED, ROOT, Renderer, RenderService

# Distributions with another name than the package that they contain.
DISTRIBUTIONS = {
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.instrumentation.asyncpg": "opentelemetry-instrumentation-asyncpg",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry": "opentelemetry-api",
    "jwt": "pyjwt",
    "yaml": "types-pyyaml",
}
ANSWERS: list[dict[str, Any]] = [
    {},
    FLIPPED,
    {"pk_type": "uuid4", "telemetry": True},
    {"pk_type": "int", "soft_delete": False},
    {"example": False},
]


def imported_modules(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each imported module of a folder, with the name of the file."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((alias.name, path.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module, path.name


def distribution_of(module: str) -> str:
    """Return the name of the distribution that contains a module."""
    for package, distribution in DISTRIBUTIONS.items():
        if module == package or module.startswith(f"{package}."):
            return distribution
    return module.partition(".")[0].replace("_", "-")


def undeclared(folder: Path, declared: set[str]) -> dict[str, str]:
    """Return the imported distributions that are not declared, with a file that imports each."""
    own = {"app", "local_postgres", "migrations", "oidc_issuer", "scaffold", "scaffold_installer"}
    own |= {"schema_diagram", "tests"}
    return {
        distribution_of(module): file
        for module, file in imported_modules(folder)
        if module.partition(".")[0] not in own | set(sys.stdlib_module_names)
        and distribution_of(module) not in declared
    }


def names(requirements: list[str]) -> set[str]:
    """Return the names of required distributions, without versions and extras."""
    return {re.split(r"[\[<>=~! ;]", each, maxsplit=1)[0].lower() for each in requirements}


@pytest.mark.parametrize("answers", ANSWERS, ids=lambda each: "-".join(map(str, each)) or "default")
def test_imported_packages_are_declared(service: RenderService, answers: dict[str, Any]) -> None:
    directory = service(**answers)
    project = tomllib.loads((directory / "pyproject.toml").read_text(encoding="utf-8"))
    runtime: list[str] = project["project"]["dependencies"]
    development: list[str] = project["dependency-groups"]["dev"]
    runtime_names = names(runtime)

    assert undeclared(directory / "migrations", runtime_names) == {}
    assert undeclared(directory / "tests", runtime_names | names(development)) == {}
    assert undeclared(directory / "src", runtime_names) == {}
    assert undeclared(directory / "devtools", runtime_names | names(development)) == {}
    unbounded = [each for each in [*runtime, *development] if ",<" not in each]
    assert unbounded == []


def test_generator_needs_only_its_dependencies_and_those_of_service(render: Renderer) -> None:
    service = tomllib.loads((render() / "pyproject.toml").read_text(encoding="utf-8"))
    package = tomllib.loads((ROOT / "scaffold" / "pyproject.toml").read_text(encoding="utf-8"))
    needed: list[str] = package["project"]["dependencies"] + package["build-system"]["requires"]
    declared = names(service["project"]["dependencies"] + needed)

    assert undeclared(ROOT / "scaffold", declared) == {}
    assert [each for each in needed if ",<" not in each] == []
