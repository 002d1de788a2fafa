"""Updates of files with lines of both the template and the team."""

import pytest

from tests.updates.conftest import ServiceFactory
from tests.updates.history import CURRENT, MILESTONES, NEXT
from tests.updates.next_release import ADDED_LINE, MARKER, SHARED

pytestmark = pytest.mark.slow

OURS = "ours"
# Answers that a shared file requires.
ANSWERS = {".gitlab-ci.yml": {"ci": "gitlab"}}


@pytest.mark.parametrize(("name", "markers"), SHARED.items())
def test_lines_below_marker_survive_update(
    service_before_next: ServiceFactory, name: str, markers: int
) -> None:
    service = service_before_next(CURRENT, **ANSWERS.get(name, {}))
    file = name.removesuffix(".jinja")
    lines = service.read(file).splitlines()
    additions = [
        f"{line}\n{' ' * (len(line) - len(line.lstrip()))}# {OURS}" if MARKER in line else line
        for line in lines
    ]
    service.write(file, "\n".join(additions) + "\n")

    service.update(NEXT)

    assert service.conflicts() == []
    assert service.read(file).count(f"# {OURS}\n") == markers
    assert service.read(file).count(f"# {ADDED_LINE}\n") == markers


@pytest.mark.parametrize("version", MILESTONES)
def test_additions_below_markers_survive_an_update(
    service_at: ServiceFactory, version: str
) -> None:
    service = service_at(version)
    additions = [
        ("src/app/settings.py", 'variable of the same name."""\n', "\n    greeting: str\n"),
        (".env.example", "yours follow ----\n", "GREETING=hello\n"),
        (".gitignore", ".coverage\n", "notes/\n"),
        (".pre-commit-config.yaml", "yours follow ----\n", "      - id: ours\n"),
        (".github/workflows/ci.yml", "yours follow ----\n", "      - run: make ours\n"),
        ("src/app/registry.py", "as users\n", "from app.features.ours import router as ours\n"),
        ("src/app/registry.py", "end here, your features follow ----\n", "    ours,\n"),
        ("pyproject.toml", "yours follow ----\n]\n\n[project.scripts]", '    "orjson>=3,<4",\n'),
        ("pyproject.toml", "yours follow ----\n]\n\n[build-system]", '    "respx>=0.22,<1",\n'),
    ]
    for name, anchor, added in additions:
        first, *others = anchor.splitlines(keepends=True)
        service.replace(name, anchor, first + added + "".join(others))

    service.update()

    assert service.conflicts() == []
    for name, _, added in additions:
        assert service.read(name).count(added) == 1
