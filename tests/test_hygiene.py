"""Rules for the files of the template and of rendered services."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.rendering import FLIPPED, ROOT, Renderer, files_of_working_tree, files_under


class Size(NamedTuple):
    """The size of a service. Lines are lines of Python code."""

    files: int
    lines: int
    kit_files: int
    kit_lines: int
    test_files: int
    test_lines: int


# The limits of a service, by answers. Lower them whenever a service becomes smaller.
LIMITS: dict[str, tuple[dict[str, Any], Size]] = {
    "default": ({}, Size(257, 22_031, 107, 12_680, 55, 5_274)),
    "without_example": ({"example": False}, Size(178, 15_485, 107, 12_680, 24, 1_847)),
}
KIT_FOLDERS = 8
FILES_PER_KIT_FOLDER = 12
LINES_PER_FILE = 249
# Tests may be longer than code.
LINES_PER_TEST_FILE = 326

# Answers that are easy to find in a file.
UNUSUAL: dict[str, Any] = {
    "project_name": "Zebra Crossing",
    "project_description": "Counts stripes",
    "python_version": "3.13",
    "pk_type": "uuid4",
    "lazy_strategy": "raise",
    "soft_delete": False,
    "pool_size": 737,
    "max_overflow": 738,
    "pool_timeout": 239.5,
    "pool_recycle": 73_740,
    "pool_pre_ping": True,
    "auth": "oidc",
    "telemetry": True,
    "ci": "gitlab",
    "deploy": "kubernetes",
}
RENDERINGS: list[dict[str, Any]] = [{}, UNUSUAL, FLIPPED]
FILES_WITH_NAME = {
    ".copier-answers.yml",
    "Dockerfile",
    "README.md",
    "compose.yaml",
    "deploy/deployment.yaml",
    "deploy/kustomization.yaml",
    "deploy/migration.yaml",
    "docs/cli.md",
    "docs/updating.md",
    "pyproject.toml",
    "src/app/about.py",
    "zensical.toml",
}
FILES_WITH_POOL_NUMBERS = {".copier-answers.yml", "src/app/kit/db/pool.py"}

# `${{ … }}` belongs to GitHub, and `{{name}}` to Python's format strings.
LEFT_OVER_JINJA = re.compile(r"(?<!\$)\{\{[-\s]|\{%|%\}|\{#|#\}")
MACHINE_PATH = re.compile(r"(?<![\w.$~-])/(root|home|Users)/\w|[A-Z]:\\Users")
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted|npmjs|docker\.io|ghcr\.io|quay\.io|artifactory|devpi|index[-_]url"
)
LOCK_FILE = re.compile(r"(^|/)([\w.-]+\.lock|package-lock\.json|pnpm-lock\.yaml|pylock.*\.toml)$")
FORBIDDEN_ON_WINDOWS = re.compile(
    r"[<>:\"\\|?*\x00-\x1f]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE
)
SUPPRESSION = re.compile(r"#\s*(?:ruff: )?(noqa|type: ?ignore|pyright: ?ignore|mypy:)(.*)")
# The rule, then the reason in at least two words.
RULE_AND_REASON = re.compile(r"(: ?[A-Z]+\d+(, ?[A-Z]+\d+)*|\[[\w, -]+\])\W+\w+\W+\w+")

SOURCES = [name for name in files_of_working_tree() if name.startswith(("template/", "variants/"))]
PYTHON_FILES = [name for name in SOURCES if name.endswith((".py", ".py.jinja"))]


@pytest.fixture(params=RENDERINGS, ids=["default", "unusual", "flipped"])
def texts(request: pytest.FixtureRequest, render: Renderer) -> dict[str, str]:
    """The files of a rendered service."""
    return {name: data.decode() for name, data in files_under(render(**request.param)).items()}


def test_no_jinja_remains_in_service(texts: dict[str, str]) -> None:
    assert not {name for name, text in texts.items() if LEFT_OVER_JINJA.search(text)}


def test_files_end_with_one_newline(texts: dict[str, str]) -> None:
    assert not {
        name
        for name, text in texts.items()
        if text and (not text.endswith("\n") or text.endswith("\n\n"))
    }


def test_files_do_not_start_with_blank_line(texts: dict[str, str]) -> None:
    assert not {name for name, text in texts.items() if text != text.lstrip()}


def test_files_have_no_trailing_whitespace_or_double_blank_lines(texts: dict[str, str]) -> None:
    for name, text in texts.items():
        assert not re.search(r"[ \t]\n", text), name
        # Python code has two blank lines between definitions.
        prose = re.sub(r"```python.*?```", "code", text, flags=re.DOTALL)
        assert "\n\n\n" not in prose or name.endswith((".py", ".mako")), name


def test_service_contains_no_machine_path_or_registry(texts: dict[str, str]) -> None:
    # The answers file contains the path of the template.
    del texts[".copier-answers.yml"]

    assert not {name for name, text in texts.items() if MACHINE_PATH.search(text)}
    assert not {name for name, text in texts.items() if REGISTRY.search(text)}


def test_repository_contains_no_machine_path_or_registry() -> None:
    this_file = Path(__file__).relative_to(ROOT).as_posix()
    names = [name for name in files_of_working_tree() if not name.endswith(".png")]
    texts = {name: read(name) for name in names if name != this_file}

    assert not {name for name, text in texts.items() if MACHINE_PATH.search(text)}
    assert not {name for name, text in texts.items() if REGISTRY.search(text)}


def test_no_lock_file_is_committed() -> None:
    assert not [name for name in files_of_working_tree() if LOCK_FILE.search(name)]


def test_file_names_are_valid_on_windows(texts: dict[str, str]) -> None:
    for names in (files_of_working_tree(), list(texts)):
        parts = {part for name in names for part in name.split("/")}
        assert not {part for part in parts if FORBIDDEN_ON_WINDOWS.search(part)}
        assert len({name.lower() for name in names}) == len(names)


def test_jinja_files_vary_with_answers(render: Renderer) -> None:
    default, without_example, unusual, with_oidc = (
        files_under(render(**{"deploy": "kubernetes", **answers}))
        for answers in ({}, {"example": False}, UNUSUAL, {"auth": "oidc"})
    )
    jinja_files = {
        name.removeprefix("template/")
        .removesuffix(".jinja")
        .replace("{{_copier_conf.answers_file}}", ".copier-answers.yml")
        for name in SOURCES
        if name.endswith(".jinja")
    }

    common = {name for name in default if name in without_example}
    varying = {name for name in default if default[name] != unusual.get(name)}
    varying |= {name for name in with_oidc if with_oidc[name] != default.get(name)}
    varying |= {name for name in common if default[name] != without_example[name]}

    assert jinja_files <= varying


def test_files_without_jinja_contain_no_answers() -> None:
    plain = [name for name in SOURCES if not name.endswith(".jinja")]

    assert not {name for name in plain if re.search(r"my[-_ ]service", read(name), re.IGNORECASE)}


def test_answers_appear_only_in_declared_files(render: Renderer) -> None:
    texts = {name: data.decode() for name, data in files_under(render(**UNUSUAL)).items()}

    assert files_matching(texts, r"zebra|counts stripes") == FILES_WITH_NAME
    assert files_matching(texts, r"\b73[78]\b|\b239\.5\b|\b73_?740\b") == FILES_WITH_POOL_NUMBERS
    assert not files_matching(texts, r"my[-_ ]service")


def files_matching(texts: dict[str, str], pattern: str) -> set[str]:
    """Return the names of the files that match the pattern."""
    return {name for name, text in texts.items() if re.search(pattern, text, re.IGNORECASE)}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in files_of_working_tree()
        if name.startswith(("tests/conformance/kit/", "tests/conformance/support/"))
    ],
)
def test_kit_tests_reserve_no_table_or_path_names(name: str) -> None:
    tables = re.findall(r'(?:TABLE |INTO |__tablename__ = ")([a-z]+)', read(name))
    paths = re.findall(r"@(?:own_)?app\.[a-z]+\(\"/([^/\"]*)", read(name))

    # Every service has the table of Alembic.
    allowed = {"kit", "alembic"}
    assert {*tables, *paths} <= allowed, "the name may conflict with a table or path of a team"


@pytest.mark.parametrize("name", PYTHON_FILES)
def test_lint_suppressions_name_rule_and_reason(name: str) -> None:
    for line in read(name).splitlines():
        for suppression in SUPPRESSION.finditer(line):
            assert RULE_AND_REASON.match(suppression[2]), line


@pytest.mark.parametrize("name", PYTHON_FILES)
def test_file_length_is_within_limit(name: str) -> None:
    limit = LINES_PER_TEST_FILE if "tests/" in name else LINES_PER_FILE
    assert len(read(name).splitlines()) <= limit


@pytest.mark.parametrize(("answers", "limit"), LIMITS.values(), ids=LIMITS)
def test_service_size_is_within_limits(
    render: Renderer, answers: dict[str, Any], limit: Size
) -> None:
    size = size_of(files_under(render(**answers)))

    assert all(found <= most for found, most in zip(size, limit, strict=True)), (size, limit)


def size_of(service: dict[str, bytes]) -> Size:
    """Measure the files of a service."""
    lines = {
        name: content.count(b"\n") for name, content in service.items() if name.endswith(".py")
    }
    kit = [count for name, count in lines.items() if name.startswith("src/app/kit/")]
    tests = [count for name, count in lines.items() if name.startswith("tests/")]
    return Size(len(service), sum(lines.values()), len(kit), sum(kit), len(tests), sum(tests))


def test_kit_has_few_folders_with_few_files(render: Renderer) -> None:
    folders = Counter(
        name.removeprefix("src/app/kit/").rpartition("/")[0]
        for name in files_under(render())
        if name.startswith("src/app/kit/")
    )

    assert len({name.split("/")[0] for name in folders if name}) <= KIT_FOLDERS, folders
    assert max(folders.values()) <= FILES_PER_KIT_FOLDER, folders.most_common(3)


def read(name: str) -> str:
    """Read a file of the working tree."""
    return (ROOT / name).read_text()
