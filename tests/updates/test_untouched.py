"""A service that nobody touched becomes what a fresh one would be."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.combinations import OPTIONS, Combination, title
from tests.rendering import files_under
from tests.updates.conftest import Started
from tests.updates.history import CURRENT, RELEASES, Template

pytestmark = pytest.mark.slow

# The team's own from the first day on; an update brings no newer text of theirs.
SEEDED = {"README.md", "src/app/features/__init__.py", "tests/features/__init__.py"}

# Every answer once.
SERVICES: list[Combination] = [
    {option: answers[number % len(answers)] for option, answers in OPTIONS.items()}
    for number in range(max(map(len, OPTIONS.values())))
]


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("answers", SERVICES, ids=map(title, SERVICES))
def test_it_becomes_what_a_fresh_one_would_be(
    started: Started,
    template: Template,
    rendering: Callable[..., Path],
    version: str,
    answers: dict[str, Any],
) -> None:
    service = started(version, **answers)

    service.update()

    assert service.unsettled() == []
    fresh = files_under(rendering(template, CURRENT, **answers))
    updated = service.files()
    assert updated.keys() == fresh.keys()
    assert {name for name in fresh if updated[name] != fresh[name]} <= SEEDED


@pytest.mark.parametrize("version", RELEASES)
def test_nothing_that_was_shipped_to_migrate_is_rewritten(
    started: Started, rendering: Callable[..., Path], template: Template, version: str
) -> None:
    for answers in SERVICES:
        before = rendering(template, version, **answers)
        now = rendering(template, CURRENT, **answers)
        for shipped in before.glob("migrations/versions/*.py"):
            assert (now / shipped.relative_to(before)).read_bytes() == shipped.read_bytes()
