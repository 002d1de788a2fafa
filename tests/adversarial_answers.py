"""Adversarial answers, and assertions that hold for every rendered service."""

import ast
import runpy
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import copier
import yaml
from copier.errors import CopierError
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.processes import succeed
from tests.rendering import copy_of_working_tree, questionnaire

# The files that contain an answer verbatim (tests/test_hygiene.py), and the configuration of ruff.
FILES_WITH_ANSWERS = [
    "README.md.jinja",
    "pyproject.toml.jinja",
    "src/app/about.py.jinja",
    "src/app/kit/db/pool.py.jinja",
    "{{_copier_conf.answers_file}}.jinja",
]
FRAGMENTS = [
    *(
        "'",
        '"',
        "'''",
        '"""',
        "\\",
        "\\n",
        "\\N{DASH}",
        "`",
        "```",
        "\n",
        "\r\n",
        "\t",
        "\0",
        "\x1b[31m",
    ),
    *(
        "{{ 7 * 7 }}",
        "{% raw %}",
        "{#",
        "#}",
        "{{",
        "}}",
        "${{ github.token }}",
        "{0}",
        "%s",
        "$HOME",
    ),
    *(
        "..",
        "../../x",
        "/etc/passwd",
        "C:\\x",
        "~",
        "a/b",
        "con",
        "*",
        "?",
        "[x]",
        "-",
        "--",
        "-x",
        "_x_",
    ),
    *(
        "# ",
        "- ",
        "1. ",
        "> ",
        "<!--",
        "<script>",
        "</p>",
        "&amp;",
        "[x](y)",
        "[x]: y",
        "---",
        "===",
        "|",
    ),
    *(
        "]]",
        "}",
        ": ",
        "!!python/object:os.system",
        "!x",
        "&a",
        "*a",
        "<<",
        "=",
        "@",
        "%",
        "0x",
        "0b_",
    ),
    *(
        "1e3",
        ".inf",
        ".nan",
        "-.inf",
        "0x10",
        "1_000",
        "010",
        "1:30",
        "1.5",
        "9" * 30,
        "9" * 5000,
        "-1",
    ),
    *(
        "true",
        "yes",
        "on",
        "no",
        "null",
        "None",
        "[1",
        "[yes",
        "{a: 1",
        "[1, 2]",
        "{a: 1}",
        "2001-13-45",
    ),
    *(
        "ünï",
        "名前",
        "مرحبا",
        "\u202e",
        "e\u0301",
        "😀",
        "１６",
        "ı",
        "İ",
        "\u00a0",
        "\u2028",
        "\ufeff",
    ),
    *("fastapi", "app", "test", "typing", "class", "None", "python3", "certifi", "requests", "2nd"),
    *("0.0.0.0", "/tmp/x", "password", "SELECT 1", "https://example.org/" + "x" * 90),  # noqa: S104, S108 - text
    *("My Service", "Counts", "a", " ", ""),
]
TEXTS = st.one_of(
    st.sampled_from(FRAGMENTS),
    st.lists(st.sampled_from(FRAGMENTS), min_size=2, max_size=4).map("".join),
    st.sampled_from(FRAGMENTS).map(lambda text: f"A {text} b"),
    st.sampled_from(FRAGMENTS).map(lambda text: text * 50_000),
    st.text(max_size=60),
)
# Values of other types that an answers file can contain.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.lists(st.text(max_size=5), max_size=2),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)
CHARACTERS_OF_NAMES = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-"
PRINTABLE = st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(
    " '\"\\`*_{}[]()<>#+-.!|~&$:"
)
# Unusual answers that are nearly always accepted. They test how answers are escaped.
UNUSUAL_ANSWERS: dict[str, st.SearchStrategy[Any]] = {
    "project_name": st.text(CHARACTERS_OF_NAMES, max_size=40).map(lambda text: f"Z{text}"),
    "project_description": st.text(PRINTABLE, min_size=1, max_size=200),
    "pool_size": st.integers(1, 1000).map(str),
    "max_overflow": st.integers(0, 1000).map(str),
    "pool_timeout": st.floats(0.1, 300).map(str),
    "pool_recycle": st.integers(1, 86_400).map(str),
    "pool_pre_ping": st.sampled_from(["yes", "no", "True", "off"]),
}
POOL_QUESTIONS = [
    "tune_pool",
    "pool_size",
    "max_overflow",
    "pool_timeout",
    "pool_recycle",
    "pool_pre_ping",
]
# Parts of the messages that name a valid answer.
CORRECTIONS = (
    "begin with",
    "use at most",
    "choose another",
    "write ",
    "answer ",
    " is not in [",
    "leave it out",
)


def copy_minimal_template(directory: Path) -> Path:
    """Copy the template, with all questions but only the files that contain answers."""
    copy_of_working_tree(directory)
    for path in sorted((directory / "template").rglob("*"), reverse=True):
        if path.is_dir():
            shutil.rmtree(path) if not any(path.iterdir()) else None
        elif path.relative_to(directory / "template").as_posix() not in FILES_WITH_ANSWERS:
            path.unlink()
    return directory


def render_error(template: Path, destination: Path, **answers: Any) -> str:
    """Render a service; return the error message, or an empty string on success."""
    try:
        copier.run_copy(
            str(template), destination, data=answers, defaults=True, unsafe=False, quiet=True
        )
    except (ValueError, CopierError) as error:
        return str(error)
    return ""


def is_clear_error(message: str, question: str) -> bool:
    """Return whether a message is one line that names the question and what to answer."""
    return (
        f"'{question}'" in message
        and "\n" not in message
        and any(correction in message for correction in CORRECTIONS)
    )


def assert_valid_service(service: Path, **given: Any) -> None:
    """Assert that the files are well formed and contain the answers verbatim."""
    answers = yaml.safe_load((service / ".copier-answers.yml").read_text())
    for question, answer in given.items():
        # Behind PgBouncer there are no questions about the pool.
        if question not in POOL_QUESTIONS or given.get("pooler") != "pgbouncer":
            assert answers[question] == stored_answer(question, answer)
    name, text = answers["project_name"], answers["project_description"]

    project = tomllib.loads((service / "pyproject.toml").read_text())
    about = constants(service / "src/app/about.py")
    assert project["project"]["description"] == about["DESCRIPTION"] == text
    assert about["TITLE"] == name
    assert project["project"]["name"] == about["NAME"]
    assert project["project"]["scripts"] == {about["NAME"]: "app.cli:main"}
    assert about["NAME"].replace("-", "_").isidentifier()
    if answers["pooler"] == "none":
        assert_pool(service / "src/app/kit/db/pool.py", answers)
    assert_readme(service / "README.md", name, text)
    ruff = Path(sys.executable).with_name("ruff")
    succeed(ruff, "format", "--check", "--quiet", ".", cwd=service)
    succeed(ruff, "check", "--quiet", ".", cwd=service)


def stored_answer(question: str, answer: Any) -> Any:
    """Return the answer as Copier stores it."""
    if "import text" in questionnaire()[question]["type"]:
        return str(answer)
    return yaml.safe_load(answer) if isinstance(answer, str) else answer


def constants(module: Path) -> dict[str, Any]:
    """Return the constants that a module assigns."""
    return {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse(module.read_text()).body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }


def assert_pool(module: Path, answers: dict[str, Any]) -> None:
    """Assert that the defaults of the pool settings are the answers."""
    settings = runpy.run_path(str(module))["PoolSettings"]()
    for question in POOL_QUESTIONS[1:]:  # without `tune_pool`
        default = questionnaire()[question]["default"]
        assert getattr(settings, question) == answers.get(question, default)


def assert_readme(readme: Path, name: str, description: str) -> None:
    """Assert that the rendered Markdown shows the name and the description unchanged."""
    tokens = MarkdownIt().parse(readme.read_text())
    shown = [
        "".join(part.content for part in token.children or []) for token in tokens if token.children
    ]
    assert [token.tag for token in tokens[:9:3]] == ["h1", "p", "h2"]
    assert shown[:3] == [name.strip(), description.strip(), "Run it"]
