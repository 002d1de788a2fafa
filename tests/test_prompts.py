"""The interactive prompts of `copier copy` in a terminal of 80 columns."""

import sys
from pathlib import Path
from typing import Any

import pytest
from jinja2 import FileSystemLoader
from jinja2.sandbox import SandboxedEnvironment

from tests.rendering import FILTERS_OF_COPIER, ROOT, Renderer, answers_of, questionnaire
from tests.terminal import BACKSPACE, CLEAR_LINE, COLUMNS, DOWN, ENTER, Terminal, terminal
from tests.test_invalid_answers import INVALID_ANSWERS

# The width of the prefix of a question (an emoji has two columns) or a choice. The last column
# stays empty.
PREFIX_WIDTH = 3
WIDTH = COLUMNS - 1
QUESTIONS_BEFORE_POOL = ["name of the service?", "in one line?", "oldest Python", "primary key?"]
QUESTIONS_BEFORE_POOL += ["relationship", "Soft-delete", "between the service"]
QUESTIONS_AFTER_POOL = ["Include the example", "sign in?", "OpenTelemetry", "Which CI"]
QUESTIONS_AFTER_POOL += ["Where does it run?"]
COPY = (sys.executable, "-m", "copier", "copy")
# Question, default, rejected answer, error message, accepted answer.
NUMBERS = [
    (
        "How many connections in each pool",
        "16",
        "many",
        "answer a whole number from 1 to 1000",
        "32",
    ),
    ("How many extra connections", "0", "-1", "answer a whole number, 0 to 1000", "4"),
    ("How many seconds may a request wait", "5", "301", "answer seconds from 0.1 to 300", "2.5"),
    ("After how many seconds", "1800", "never", "answer 1 to 86400, or -1 (never)", "-1"),
]


def test_prompt_explains_invalid_number_and_accepts_correction(
    render: Renderer, tmp_path: Path
) -> None:
    with terminal(*COPY, render.template, "service", cwd=tmp_path) as user:
        accept_defaults(user, QUESTIONS_BEFORE_POOL)
        answer_yes_to_tune_pool(user)
        for question, default, wrong, explanation, right in NUMBERS:
            user.expect(question)
            user.expect(f"\n   {default}")
            user.type(CLEAR_LINE + wrong + ENTER)
            user.expect(explanation)
            user.type(BACKSPACE * len(wrong) + right + ENTER)
        accept_defaults(user, ["Ping the server", *QUESTIONS_AFTER_POOL])
        assert user.wait() == 0

    answers = answers_of(tmp_path / "service")
    assert [answers[name] for name in POOL] == [32, 4, 2.5, -1]
    assert "pool_timeout: float = Field(2.5," in read_pool_module(tmp_path / "service")
    assert "..." not in user.text()


def test_default_number_can_be_edited(render: Renderer, tmp_path: Path) -> None:
    with terminal(*COPY, render.template, "service", cwd=tmp_path) as user:
        accept_defaults(user, QUESTIONS_BEFORE_POOL)
        answer_yes_to_tune_pool(user)
        for question, *_ in NUMBERS:
            user.answer(question, BACKSPACE + "1")
        accept_defaults(user, ["Ping the server", *QUESTIONS_AFTER_POOL])
        assert user.wait() == 0

    answers = answers_of(tmp_path / "service")
    assert [answers[name] for name in POOL] == [11, 1, 1, 1801]


def test_pool_numbers_are_prompted_only_with_tune_pool(render: Renderer, tmp_path: Path) -> None:
    with terminal(*COPY, render.template, "service", cwd=tmp_path) as user:
        accept_defaults(
            user, [*QUESTIONS_BEFORE_POOL, "Tune the connection pool?", *QUESTIONS_AFTER_POOL]
        )
        assert user.wait() == 0

    assert not [question for question, *_ in NUMBERS if question in user.text()]
    answers = answers_of(tmp_path / "service")
    assert answers["tune_pool"] is False
    assert not {*POOL} & {*answers}
    assert "pool_size: int = Field(16," in read_pool_module(tmp_path / "service")


def test_pool_number_with_data_is_not_prompted(render: Renderer, tmp_path: Path) -> None:
    data = ("--data", "pool_size=32")
    with terminal(*COPY, *data, render.template, "service", cwd=tmp_path) as user:
        accept_defaults(user, [*QUESTIONS_BEFORE_POOL, *(question for question, *_ in NUMBERS[1:])])
        accept_defaults(user, ["Ping the server", *QUESTIONS_AFTER_POOL])
        assert user.wait() == 0

    assert "Tune the connection pool?" not in user.text()
    assert answers_of(tmp_path / "service")["pool_size"] == 32


def test_prompt_explains_rejected_name_and_accepts_correction(
    render: Renderer, tmp_path: Path
) -> None:
    with terminal(*COPY, render.template, "service", cwd=tmp_path) as user:
        user.expect("name of the service?")
        user.type(CLEAR_LINE + "class" + ENTER)
        user.expect("a Python keyword: choose another")
        user.type(CLEAR_LINE + "Order Desk" + ENTER)
        accept_defaults(
            user, [*QUESTIONS_BEFORE_POOL[1:], "Tune the connection pool?", *QUESTIONS_AFTER_POOL]
        )
        assert user.wait() == 0

    assert answers_of(tmp_path / "service")["project_name"] == "Order Desk"


@pytest.mark.parametrize("name", questionnaire())
def test_question_and_choices_fit_in_80_columns(name: str) -> None:
    question = questionnaire()[name]

    assert PREFIX_WIDTH + len(question["help"]) <= WIDTH
    assert not [each for each in question.get("choices", []) if PREFIX_WIDTH + len(each) > WIDTH]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        (name, answer)
        for name, answer, _ in INVALID_ANSWERS
        if "choices" not in questionnaire().get(name, {})
    ],
)
def test_validator_message_fits_in_80_columns(name: str, answer: str) -> None:
    if name not in questionnaire():
        return
    jinja = SandboxedEnvironment(loader=FileSystemLoader(ROOT), extensions=[FILTERS_OF_COPIER])
    validator = jinja.from_string(questionnaire()[name]["validator"])

    message = validator.render(
        {name: answer, "_copier_conf": {"data": {}, "conflict": "inline"}}
    ).strip()

    assert message
    assert len(f"Validation error for question '{name}': {message}") <= WIDTH


POOL = ["pool_size", "max_overflow", "pool_timeout", "pool_recycle"]


def accept_defaults(user: Terminal, questions: list[str]) -> None:
    """Accept the default of each question."""
    for question in questions:
        user.answer(question)


def answer_yes_to_tune_pool(user: Terminal) -> None:
    """Answer yes to "Tune the connection pool?"."""
    user.expect("Tune the connection pool?")
    user.type(DOWN + ENTER)


def read_pool_module(service: Path) -> Any:
    """Return the module with the pool settings."""
    return (service / "src/app/kit/db/pool.py").read_text()
