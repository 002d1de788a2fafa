"""Each answer changes only the files that are declared for it."""

from typing import Any

import pytest

from tests.options import PAGE, format_answer, heading, section
from tests.rendering import FLIPPED, Renderer, files_under, questionnaire

# Each option about the data has one module in the kit and one test module in the example.
TABLES = [
    "migrations/versions/2026_11_21_0001_example.py",
    "migrations/versions/2026_11_21_0002_catalog.py",
    "migrations/versions/2026_11_21_0003_orders.py",
]
PRIMARY_KEY = [
    *TABLES,
    "pyproject.toml",
    "src/app/kit/db/ids.py",
    "tests/example/test_primary_keys.py",
]
LAZY_STRATEGY = ["src/app/kit/db/relationships.py", "tests/example/test_relationships.py"]
DELETION = [
    "docs/cli.md",
    "docs/patterns.md",
    "docs/soft_delete.md",
    # Without orders: they are cancelled, never deleted.
    *TABLES[:2],
    "src/app/example/users/restore.py",
    "src/app/kit/db/deletion.py",
    "src/app/kit/writes/deleted_rows.py",
    "src/app/kit/db/soft_delete.py",
    "src/app/purging.py",
    "src/app/registry.py",
    "tests/example/test_deletion.py",
    "tests/example/test_purge.py",
    "tests/example/test_restore.py",
    "tests/architecture/test_soft_delete.py",
]
POOL = ["src/app/kit/db/pool.py"]
AUTHENTICATION = [
    ".env.example",
    "compose.yaml",
    "devtools/oidc_issuer/",
    "docs/auth.md",
    "docs/cli.md",
    "docs/patterns.md",
    "migrations/versions/2026_11_21_0001_example.py",
    "pyproject.toml",
    "src/app/example/catalog/categories.py",
    "src/app/example/catalog/products.py",
    "src/app/example/catalog/router.py",
    "src/app/example/orders/router.py",
    "src/app/example/posts/models.py",
    "src/app/example/posts/router.py",
    "src/app/example/posts/service.py",
    "src/app/example/tags/router.py",
    "src/app/example/users/restore.py",
    "src/app/example/users/router.py",
    "src/app/kit/auth/",
    "src/app/kit/http/authentication.py",
    "src/app/kit/cli/development_issuer.py",
    "src/app/kit/db/current_user.py",
    "src/app/registry.py",
    "tests/architecture/test_public_routes.py",
    "tests/example/test_callers.py",
    "tests/support/auth.py",
    "tests/support/authentication.py",
]

# Option, an answer other than the default, and all files that differ from the default service. A
# name that ends with a slash includes every file in the folder.
CHANGED_FILES: list[tuple[str, Any, list[str]]] = [
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
    ("python_version", "3.13", ["pyproject.toml"]),
    ("python_version", "3.14", ["Dockerfile", "pyproject.toml"]),
    ("pk_type", "int", PRIMARY_KEY),
    ("pk_type", "uuid4", PRIMARY_KEY),
    ("lazy_strategy", "raise", LAZY_STRATEGY),
    ("lazy_strategy", "selectin", LAZY_STRATEGY),
    ("lazy_strategy", "select", LAZY_STRATEGY),
    ("soft_delete", False, DELETION),
    (
        "pooler",
        "pgbouncer",
        [*POOL, "compose.yaml"],
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
    ("auth", "oidc", AUTHENTICATION),
    (
        "telemetry",
        True,
        [
            "docs/observability.md",
            "pyproject.toml",
            "src/app/kit/observability/tracing.py",
        ],
    ),
    ("ci", "gitlab", [".github/", ".gitlab-ci.yml", "renovate.json"]),
    ("ci", "none", [".github/"]),
    (
        "deploy",
        "kubernetes",
        ["deploy/", "pyproject.toml", "tests/architecture/test_manifests.py"],
    ),
]


@pytest.mark.parametrize(
    ("option", "answer", "declared"),
    CHANGED_FILES,
    ids=[f"{row[0]}-{row[1]}" for row in CHANGED_FILES],
)
def test_answer_changes_only_declared_files(
    render: Renderer, option: str, answer: Any, declared: list[str]
) -> None:
    before, after = files_under(render()), files_under(render(**{option: answer}))

    changed = {name for name in before | after if before.get(name) != after.get(name)}

    # All files in a declared folder must change.
    expected = {
        name
        for name in before | after
        if name in declared or any(d.endswith("/") and name.startswith(d) for d in declared)
    }
    assert changed == expected | {".copier-answers.yml"}
    items = section(option, answer, before, after)
    assert items in PAGE.read_text(), (
        "docs/options.md is outdated. Run: uv run python -m tests.options"
    )


def test_excluded_files_leave_no_empty_folder(render: Renderer) -> None:
    for answers in ({}, {"example": False, "ci": "none"}):
        service = render(**answers)
        empty = [folder for folder in service.rglob("*/") if not any(folder.iterdir())]
        # The team's first migration goes into this folder.
        allowed = [] if not answers else [service / "migrations/versions"]
        assert empty == allowed


def test_every_declared_file_exists(render: Renderer) -> None:
    names = {
        name
        for answers in ({}, FLIPPED, {"auth": "oidc"})
        for name in files_under(render(**answers))
    }

    declared = {name for _, _, files in CHANGED_FILES for name in files}

    assert not {name for name in declared if not any(have.startswith(name) for have in names)}


def test_every_question_has_declared_files() -> None:
    assert {option for option, _, _ in CHANGED_FILES} == {*questionnaire()}


def test_every_question_and_answer_has_section() -> None:
    text = PAGE.read_text()
    for name, question in questionnaire().items():
        assert heading(name, question) in text
    items = [line for line in text.splitlines() if line.startswith("### ")]
    answers = [
        (name, answer)
        for name in questionnaire()
        for each, answer, _ in CHANGED_FILES
        if each == name
    ]
    assert [line.split(" instead of ")[0] for line in items] == [
        f"### {format_answer(answer)}" for _, answer in answers
    ]
