"""The order, choices and defaults of the questions, and the computed answers."""

from pathlib import Path
from typing import Any

import pytest

from tests.options import REASONS
from tests.rendering import FLIPPED, Renderer, answers_of, questionnaire

DEFAULTS: dict[str, Any] = {
    "project_name": "My Service",
    "project_description": "A service with an HTTP API on PostgreSQL",
    "python_version": "3.11",
    "pk_type": "uuid7",
    "lazy_strategy": "raise_on_sql",
    "soft_delete": True,
    "pooler": "none",
    "tune_pool": False,
    "pool_size": 16,
    "max_overflow": 0,
    "pool_timeout": 5,
    "pool_recycle": 1800,
    "pool_pre_ping": False,
    "example": True,
    "auth": "none",
    "telemetry": False,
    "ci": "github",
    "deploy": "none",
}
CHOICES: dict[str, list[Any]] = {
    "python_version": ["3.11", "3.12", "3.13", "3.14", "3.15"],
    "pk_type": ["uuid7", "uuid4", "int"],
    "lazy_strategy": ["raise_on_sql", "raise", "selectin", "select"],
    "soft_delete": [True, False],
    "pooler": ["none", "pgbouncer"],
    "tune_pool": [True, False],
    "pool_pre_ping": [True, False],
    "example": [True, False],
    "auth": ["none", "oidc"],
    "telemetry": [True, False],
    "ci": ["github", "gitlab", "none"],
    "deploy": ["none", "kubernetes"],
}
POOL_QUESTIONS = ["pool_size", "max_overflow", "pool_timeout", "pool_recycle", "pool_pre_ping"]
LOWEST: dict[str, Any] = {
    "project_name": "A",
    "project_description": "B",
    "pool_size": 1,
    "max_overflow": 0,
    "pool_timeout": 0.1,
    "pool_recycle": 1,
}
HIGHEST: dict[str, Any] = {
    "project_name": "Zebra.Crossing_2 -" + "a" * 42,
    "project_description": "Says \"hello\", 'bye', C:\\new {{ 7 * 7 }} in ünïcode".ljust(200, "!"),
    "pool_size": 1000,
    "max_overflow": 1000,
    "pool_timeout": 300,
    "pool_recycle": 86_400,
}


def test_questions_are_in_expected_order() -> None:
    assert list(questionnaire()) == list(DEFAULTS)


def test_defaults_are_stored(render: Renderer) -> None:
    answers = answers_of(render())

    stored = {name: value for name, value in DEFAULTS.items() if name not in POOL_QUESTIONS}
    assert {name: answers[name] for name in stored} == stored
    assert not {*POOL_QUESTIONS} & {*answers}
    assert answers_of(render(tune_pool=True)).items() >= {**DEFAULTS, "tune_pool": True}.items()


@pytest.mark.parametrize("question", list(CHOICES))
def test_question_has_expected_choices(question: str) -> None:
    choices = questionnaire()[question]["choices"]

    assert (list(choices.values()) if isinstance(choices, dict) else choices) == CHOICES[question]


@pytest.mark.parametrize("question", list(DEFAULTS))
def test_question_is_one_line_with_documented_reasons(question: str) -> None:
    text = questionnaire()[question]["help"]

    assert "?" in text
    assert "\n" not in text
    assert set(REASONS) == set(DEFAULTS)


@pytest.mark.parametrize("answers", [LOWEST, HIGHEST, {"pool_recycle": -1}])
def test_boundary_answers_are_accepted(render: Renderer, answers: dict[str, Any]) -> None:
    stored = answers_of(render(**answers))

    assert {name: stored[name] for name in answers} == answers


def test_pool_questions_are_skipped_with_pgbouncer(render: Renderer) -> None:
    answers = answers_of(render(**FLIPPED))

    assert not {"tune_pool", *POOL_QUESTIONS} & {*answers}


@pytest.mark.parametrize("value", [37, "37"])
def test_pool_number_with_data_implies_tune_pool(render: Renderer, value: Any) -> None:
    service = render(pool_size=value)

    expected = {"tune_pool": True, "pool_size": 37, "max_overflow": 0}
    assert answers_of(service).items() >= expected.items()
    assert "Field(37," in (service / "src/app/kit/db/pool.py").read_text()


@pytest.mark.parametrize("question", POOL_QUESTIONS)
def test_pool_number_without_tune_pool_is_rejected(
    render: Renderer, tmp_path: Path, question: str
) -> None:
    with pytest.raises(ValueError, match=f"'tune_pool': answer yes, or leave out {question}"):
        render.into(tmp_path / "service", tune_pool=False, **{question: 1})


@pytest.mark.parametrize(
    ("name", "computed"),
    [
        ("My Service", "my-service"),
        ("Zebra.Crossing_2 -", "zebra-crossing-2"),
        ("ORDERS", "orders"),
        ("a--b", "a-b"),
    ],
)
def test_command_and_distribution_are_named_after_project(
    render: Renderer, name: str, computed: str
) -> None:
    project = (render(project_name=name) / "pyproject.toml").read_text()

    assert f'name = "{computed}"' in project
    assert f'\n{computed} = "app.cli:main"' in project
