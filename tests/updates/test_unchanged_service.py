"""An update of an unchanged service gives the same files as a new service."""

from collections.abc import Callable
from itertools import chain, cycle
from pathlib import Path
from typing import Any

import pytest

from tests.combinations import OPTIONS, Combination, combination_id
from tests.rendering import files_under
from tests.updates.conftest import ServiceFactory
from tests.updates.history import CURRENT, RELEASES, Template
from tests.updates.service import SEEDED

pytestmark = pytest.mark.slow

# Services that together contain every answer.
SERVICES: list[Combination] = [
    {option: answers[number % len(answers)] for option, answers in OPTIONS.items()}
    for number in range(max(map(len, OPTIONS.values())))
]

# Each setting of the pool. The first releases store them without `tune_pool`.
TUNED: list[dict[str, Any]] = [
    {"pooler": "none", "pool_size": 37},
    {"pooler": "none", "max_overflow": 3},
    {"pooler": "none", "pool_timeout": 2.5},
    {"pooler": "none", "pool_recycle": -1},
    {"pooler": "none", "pool_pre_ping": True},
]
LAST = list(RELEASES)[-1]
# One service from each release, and from the last release all of them, and one with `tune_pool`.
TUNED_SERVICES = [answers | tuned for answers, tuned in zip(cycle(SERVICES), TUNED, strict=False)]
UPDATES = [
    *zip(RELEASES, chain(TUNED_SERVICES, cycle(SERVICES)), strict=False),
    *((LAST, answers) for answers in [*SERVICES, TUNED_SERVICES[0]]),
]


@pytest.mark.parametrize(
    ("version", "answers"),
    UPDATES,
    ids=[f"{v}-{combination_id(answers)}" for v, answers in UPDATES],
)
def test_update_of_unchanged_service_equals_new_service(
    service_at: ServiceFactory,
    template: Template,
    rendering: Callable[..., Path],
    version: str,
    answers: dict[str, Any],
) -> None:
    service = service_at(version, **answers)

    service.update(skip_answered=list(RELEASES).index(version) % 2 == 0)

    assert service.conflicts() == []
    fresh = files_under(rendering(template, CURRENT, **answers))
    updated = service.files()
    assert updated.keys() == fresh.keys()
    assert {name for name in fresh if updated[name] != fresh[name]} <= SEEDED


def test_shipped_migrations_never_change(
    rendering: Callable[..., Path], template: Template
) -> None:
    # Comparing with the last release is enough: it was compared with the releases before it.
    for answers in SERVICES:
        before = rendering(template, LAST, **answers)
        now = rendering(template, CURRENT, **answers)
        for shipped in before.glob("migrations/versions/*.py"):
            assert (now / shipped.relative_to(before)).read_bytes() == shipped.read_bytes()
