"""All combinations of answers, and a pairwise selection of them."""

import itertools
from typing import Any

# The first answer of each option is its default and the last one is furthest from it. So the first
# combination is the default service, and the last one differs from it in every option.
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


# The combinations that are also rendered with `auth: oidc`, without and with the example.
WITH_OIDC: list[Combination] = [
    ALL[-1],
    dict(zip(OPTIONS, ("uuid7", "raise", False, "none", True), strict=True)),
]


def pairs(combination: Combination) -> set[Pair]:
    """Return all pairs of answers in a combination."""
    return set(itertools.combinations(combination.items(), 2))


def pairwise_combinations() -> list[Combination]:
    """Return a small set of combinations that contains every pair of answers.

    Greedy: each step adds the combination with the most missing pairs.
    """
    chosen = [ALL[0], ALL[-1]]
    missing = set().union(*map(pairs, ALL)) - pairs(ALL[0]) - pairs(ALL[-1])
    while missing:
        chosen.append(max(ALL, key=lambda combination: len(pairs(combination) & missing)))
        missing -= pairs(chosen[-1])
    return chosen


def furthest_from_default() -> Combination:
    """Return the pairwise combination with an example that differs most from the default."""
    return max(
        (answers for answers in pairwise_combinations() if answers["example"]),
        key=lambda answers: sum(answers[option] != ALL[0][option] for option in OPTIONS),
    )


def with_pgbouncer() -> list[Combination]:
    """Return the pairwise combinations with an example that run behind PgBouncer."""
    return [
        each
        for each in pairwise_combinations()
        if each["example"] and each["pooler"] == "pgbouncer"
    ]


def with_optional_files(combination: Combination) -> Combination:
    """Add the answers that add parts to a service.

    They do not interact with other answers, so they need no combinations.
    """
    deploy = "none" if combination["example"] else "kubernetes"
    auth = "oidc" if combination in WITH_OIDC else "none"
    return {**combination, "deploy": deploy, "auth": auth, "telemetry": combination == ALL[-1]}


def combination_id(combination: Combination) -> str:
    """Return the test id of a combination."""
    return "-".join(
        (answer if isinstance(answer, str) else option if answer else f"no_{option}")
        for option, answer in combination.items()
    )
