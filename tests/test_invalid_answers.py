"""An invalid answer is rejected with the name of its question, and nothing is written."""

import keyword
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.rendering import Renderer, project_name_error

FIRST_CHARACTER = "begin with a letter from a to z"
CHARACTERS = "use only a-z 0-9 space . - or _"
ONE_LINE = "write one line"
BOOLEAN_QUESTIONS = ["soft_delete", "tune_pool", "pool_pre_ping", "example", "telemetry"]
NOT_BOOLEAN = "not in [True, False]"
SIZE, OVERFLOW = "answer a whole number from 1 to 1000", "answer a whole number, 0 to 1000"
TIMEOUT = "answer seconds from 0.1 to 300"
RECYCLE = "answer 1 to 86400, or -1 (never)"

# Question, invalid answer, and the correction that the error message names.
INVALID_ANSWERS: list[tuple[str, Any, str]] = [
    *(("project_name", name, FIRST_CHARACTER) for name in ["", " ", "-", "2nd", "_x", " Padded"]),
    *(
        ("project_name", name, FIRST_CHARACTER)
        for name in ["Ünit", "服务", "Сервис", "{{ 7 * 7 }}", "{% raw %}"]
    ),
    *(("project_name", name, CHARACTERS) for name in ["Straße", "a\u00a0b"]),
    *(("project_name", name, CHARACTERS) for name in ["a\nb", "a\n", "a\tb", "a'b", 'a"b', "a/b"]),
    *(("project_name", name, CHARACTERS) for name in ["a{# #}", "a$b"]),
    ("project_name", "a" * 61, "at most 60 characters"),
    ("project_name", "App", "choose another"),
    ("project_name", "Class", "choose another"),
    ("project_name", "JSON", "choose another"),
    ("project_name", "Python", "choose another"),
    ("project_name", "tests", "choose another"),
    ("project_slug", "other", "computed from project_name"),
    *(("project_description", text, ONE_LINE) for text in ["", "  ", "a\nb", "a\r\nb", "a\x00b"]),
    ("project_description", "x" * 201, "use at most 200 characters"),
    *(("python_version", text, "3.11") for text in ["", "3.10", "3.16", "3"]),
    *(("pk_type", text, "uuid7") for text in ["", "bigint", "UUID7"]),
    *(("lazy_strategy", text, "raise_on_sql") for text in ["", "noload", "joined"]),
    *(("pooler", text, "pgbouncer") for text in ["", "odyssey"]),
    *(("ci", text, "github") for text in ["", "jenkins"]),
    *(("deploy", text, "kubernetes") for text in ["", "nomad"]),
    *((name, text, NOT_BOOLEAN) for name in BOOLEAN_QUESTIONS for text in ["", "maybe", "2"]),
    *((name, "[yes]", "not in ['True', 'False']") for name in BOOLEAN_QUESTIONS),
    *(("pool_size", text, SIZE) for text in ["", "many", "0", "-1", "1001", "1.5", "yes", "1e2"]),
    *(("max_overflow", text, OVERFLOW) for text in ["", "many", "-1", "1001", "0.5", "no"]),
    *(("pool_timeout", text, TIMEOUT) for text in ["", "long", "0", "-1", "301", "yes", ".nan"]),
    *(("pool_timeout", text, TIMEOUT) for text in [".inf", "5s"]),
    *(("pool_recycle", text, RECYCLE) for text in ["", "never", "0", "-2", "86401", "1.5", "yes"]),
]


@pytest.mark.parametrize(("question", "answer", "correction"), INVALID_ANSWERS)
def test_error_names_question_and_correction(
    render: Renderer, tmp_path: Path, question: str, answer: Any, correction: str
) -> None:
    destination = tmp_path / "service"

    with pytest.raises(ValueError, match=re.escape(correction)) as error:
        render.into(destination, **{question: answer})

    assert f"'{question}'" in str(error.value)
    assert not destination.exists()


@pytest.mark.parametrize("question", BOOLEAN_QUESTIONS)
def test_number_is_not_accepted_as_yes(render: Renderer, tmp_path: Path, question: str) -> None:
    with pytest.raises(ValueError, match=question):
        render.into(tmp_path / "service", **{question: "1"})


def test_keyword_and_standard_library_names_are_rejected() -> None:
    # Names with a leading underscore are rejected anyway.
    names = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    names |= {*keyword.kwlist, *keyword.softkwlist} - {"_"}

    assert not {name for name in names if not project_name_error(name)}


def test_names_of_dependencies_are_rejected(render: Renderer) -> None:
    project = tomllib.loads((render(telemetry=True) / "pyproject.toml").read_text())
    needed = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    needed += project["build-system"]["requires"]

    names = {re.split(r"[^\w.-]", each)[0] for each in needed}

    assert not {name for name in names if not project_name_error(name)}


def test_ordinary_name_is_accepted() -> None:
    assert project_name_error("Order Desk") == ""
