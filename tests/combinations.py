"""The combinations of answers that a service can have, and a few that stand for all."""

import itertools
from typing import Any

# Defaults come first and their opposites last, so that the first combination is the default
# service, and the last one that in which everything is flipped.
OPTIONS: dict[str, list[Any]] = {
    "pk_type": ["uuid7", "uuid4", "int"],
    "lazy_strategy": ["raise_on_sql", "raise", "selectin", "select"],
    "soft_delete": [True, False],
    "pooler": ["none", "pgbouncer"],
    "example": [True, False],
}

Combination = dict[str, Any]
Pair = tuple[tuple[str, Any], tuple[str, Any]]

ALL: list[Combination] = [
    dict(zip(OPTIONS, answers, strict=True)) for answers in itertools.product(*OPTIONS.values())
]


def pairs(combination: Combination) -> set[Pair]:
    """Every two answers that meet in it."""
    return set(itertools.combinations(combination.items(), 2))


def covering() -> list[Combination]:
    """Few combinations in which every two answers meet: always the one that adds most pairs."""
    chosen = [ALL[0], ALL[-1]]
    missing = set().union(*map(pairs, ALL)) - pairs(ALL[0]) - pairs(ALL[-1])
    while missing:
        chosen.append(max(ALL, key=lambda combination: len(pairs(combination) & missing)))
        missing -= pairs(chosen[-1])
    return chosen


def furthest() -> Combination:
    """The one with an example, of those few, that differs most from the default."""
    return max(
        (answers for answers in covering() if answers["example"]),
        key=lambda answers: sum(answers[option] != ALL[0][option] for option in OPTIONS),
    )


def behind_pgbouncer() -> list[Combination]:
    """Those of the few with an example that are to run behind PgBouncer."""
    return [each for each in covering() if each["example"] and each["pooler"] == "pgbouncer"]


def whole(combination: Combination) -> Combination:
    """It with the answers that change none of its code, but may add files that are tested too.

    They are answered in few places, and need no combination of their own.
    """
    deploy = "none" if combination["example"] else "kubernetes"
    return {**combination, "deploy": deploy, "telemetry": combination == ALL[-1]}


def title(combination: Combination) -> str:
    """A name for the combination in the list of tests."""
    return "-".join(
        (answer if isinstance(answer, str) else option if answer else f"no_{option}")
        for option, answer in combination.items()
    )
