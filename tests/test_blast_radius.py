"""An option changes the files that are about it, and no other."""

from typing import Any

import pytest

from tests.options import PAGE, heading, section, shown
from tests.rendering import FLIPPED, Renderer, files_under, questionnaire

# Each option about the data has one place in the kit, and one story among the example's tests.
TABLES = [
    "migrations/versions/2026_11_21_0001_example.py",
    "migrations/versions/2026_11_21_0002_catalog.py",
    "migrations/versions/2026_11_21_0003_orders.py",
]
KEYS = [
    *TABLES,
    "pyproject.toml",
    "src/app/kit/db/ids.py",
    "tests/example/test_keys.py",
]
RELATIONS = ["src/app/kit/db/relation.py", "tests/example/test_relations.py"]
DELETION = [
    "docs/cli.md",
    "docs/patterns.md",
    "docs/soft_delete.md",
    # Orders are cancelled, not deleted, whatever the answer.
    *TABLES[:2],
    "src/app/example/users/restoring.py",
    "src/app/kit/db/deletion.py",
    "src/app/kit/db/purging.py",
    "src/app/kit/db/restoring.py",
    "src/app/kit/db/soft_delete.py",
    "src/app/purging.py",
    "src/app/registry.py",
    "tests/example/test_deletion.py",
    "tests/example/test_purging.py",
    "tests/example/test_restoring.py",
    "tests/kit/test_soft_delete.py",
]
POOL = ["src/app/kit/db/pool.py"]

# Option, an answer other than the default, and all that it adds, changes or takes away compared
# with the default service. A name that ends in a slash stands for the whole folder.
RADIUS: list[tuple[str, Any, list[str]]] = [
    (
        "project_name",
        "Zebra Crossing",
        [
            "Dockerfile",
            "README.md",
            "compose.yaml",
            "docs/cli.md",
            "docs/updating.md",
            "pyproject.toml",
            "src/app/about.py",
            "zensical.toml",
        ],
    ),
    ("project_description", "Counts", ["README.md", "pyproject.toml", "src/app/about.py"]),
    ("python_version", "3.13", ["Dockerfile", "pyproject.toml"]),
    ("pk_type", "int", KEYS),
    ("pk_type", "uuid4", KEYS),
    ("lazy_strategy", "raise", RELATIONS),
    ("lazy_strategy", "selectin", RELATIONS),
    ("lazy_strategy", "select", RELATIONS),
    ("soft_delete", False, DELETION),
    (
        "pooler",
        "pgbouncer",
        [*POOL, "compose.yaml", "tests/kit/test_pool.py", "tests/kit/test_pooler.py"],
    ),
    ("tune_pool", True, []),
    ("pool_size", 37, POOL),
    ("max_overflow", 38, POOL),
    ("pool_timeout", 39, POOL),
    ("pool_recycle", 40, POOL),
    ("pool_pre_ping", True, POOL),
    (
        "example",
        False,
        [
            "README.md",
            "docs/cli.md",
            "docs/patterns.md",
            "migrations/versions/",
            "pyproject.toml",
            "src/app/example/",
            "src/app/registry.py",
            "tests/example/",
        ],
    ),
    (
        "telemetry",
        True,
        [
            "docs/observability.md",
            "pyproject.toml",
            "src/app/kit/tracing.py",
            "tests/kit/test_tracing.py",
        ],
    ),
    ("ci", "gitlab", [".github/", ".gitlab-ci.yml"]),
    ("ci", "none", [".github/"]),
    (
        "deploy",
        "kubernetes",
        ["deploy/", "pyproject.toml", "tests/kit/test_manifests.py"],
    ),
]


@pytest.mark.parametrize(
    ("option", "answer", "declared"), RADIUS, ids=[f"{row[0]}-{row[1]}" for row in RADIUS]
)
def test_an_option_changes_its_declared_files_and_no_other(
    render: Renderer, option: str, answer: Any, declared: list[str]
) -> None:
    before, after = files_under(render()), files_under(render(**{option: answer}))

    changed = {name for name in before | after if before.get(name) != after.get(name)}

    # A folder stands for the files in it, all of which must change.
    expected = {
        name
        for name in before | after
        if name in declared or any(d.endswith("/") and name.startswith(d) for d in declared)
    }
    assert changed == expected | {".copier-answers.yml"}
    told = section(option, answer, before, after)
    assert told in PAGE.read_text(), "write it: uv run python -m tests.options"


def test_what_an_answer_leaves_out_leaves_no_empty_folder(render: Renderer) -> None:
    for answers in ({}, {"example": False, "ci": "none"}):
        service = render(**answers)
        empty = [folder for folder in service.rglob("*/") if not any(folder.iterdir())]
        # Where the first revision of a team comes.
        kept = [] if not answers else [service / "migrations/versions"]
        assert empty == kept


def test_every_declared_file_exists(render: Renderer) -> None:
    names = {*files_under(render()), *files_under(render(**FLIPPED))}

    declared = {name for _, _, radius in RADIUS for name in radius}

    assert not {name for name in declared if not any(have.startswith(name) for have in names)}


def test_every_question_has_a_declared_radius() -> None:
    assert {option for option, _, _ in RADIUS} == {*questionnaire()}


def test_every_question_and_answer_has_its_part_of_the_page() -> None:
    text = PAGE.read_text()
    for name, question in questionnaire().items():
        assert heading(name, question) in text
    told = [line for line in text.splitlines() if line.startswith("### ")]
    answers = [
        (name, answer) for name in questionnaire() for each, answer, _ in RADIUS if each == name
    ]
    assert [line.split(" instead of ")[0] for line in told] == [
        f"### {shown(answer)}" for _, answer in answers
    ]
