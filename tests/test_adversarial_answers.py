"""Any answer gives a working service or a clear error, and never writes outside of it."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import copier
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.adversarial_answers import (
    TEXTS,
    UNUSUAL_ANSWERS,
    VALUES,
    assert_valid_service,
    copy_minimal_template,
    is_clear_error,
    render_error,
)
from tests.processes import UV, open_directory, run, succeed
from tests.rendering import (
    Renderer,
    RenderService,
    answers_of,
    cached_jinja_templates,
    conflicts_with_example,
    files_under,
    project_name_error,
    questionnaire,
)
from tests.services import DEV, Start
from tests.test_copying import COPIER

QUESTIONS = [*questionnaire()]
# A computed answer, which is never asked.
COMPUTED = "project_slug"
CHOICES = {
    name: st.sampled_from([*choices.values()] if isinstance(choices, dict) else choices)
    for name, choices in ((name, entry.get("choices")) for name, entry in questionnaire().items())
    if choices and name not in ("tune_pool", "pool_pre_ping")
}
# Deterministic: each run uses the same examples.
HYPOTHESIS_SETTINGS = {
    "deadline": None,
    # Without shrinking: each example renders a service, so it would take minutes.
    "phases": [Phase.explicit, Phase.generate],
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}


@pytest.fixture(scope="module", autouse=True)
def cached_templates() -> Iterator[None]:
    """Compile each template once: most tests render many services."""
    with cached_jinja_templates():
        yield


@pytest.fixture(scope="session")
def minimal_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with all questions, and only the files that contain answers."""
    return copy_minimal_template(tmp_path_factory.mktemp("minimal_template") / "template")


@contextmanager
def only_destination_written() -> Iterator[Path]:
    """Yield a destination; assert that nothing is written next to it."""
    with TemporaryDirectory() as directory:
        yield Path(directory) / "a" / "b" / "service"
        assert {path.name for path in Path(directory).iterdir()} <= {"a"}
        assert {path.name for path in (Path(directory) / "a").glob("*")} <= {"b"}
        assert {path.name for path in (Path(directory) / "a" / "b").glob("*")} <= {"service"}


def assert_working_or_rejected(template: Path, question: str, answer: Any) -> None:
    with only_destination_written() as service:
        message = render_error(template, service, **{question: answer})

        if message:
            assert is_clear_error(message, question), message[:500]
            assert not service.exists()
        else:
            assert_valid_service(service, **{question: answer})


@settings(max_examples=40, **HYPOTHESIS_SETTINGS)
@given(question=st.sampled_from([*QUESTIONS, COMPUTED]), answer=TEXTS)
def test_any_text_gives_working_service_or_clear_error(
    minimal_template: Path, question: str, answer: str
) -> None:
    assert_working_or_rejected(minimal_template, question, answer)


@settings(max_examples=25, **HYPOTHESIS_SETTINGS)
@given(question=st.sampled_from([*QUESTIONS, COMPUTED]), answer=VALUES)
def test_any_yaml_value_gives_working_service_or_clear_error(
    minimal_template: Path, question: str, answer: Any
) -> None:
    assert_working_or_rejected(minimal_template, question, answer)


@settings(max_examples=8, **HYPOTHESIS_SETTINGS)
@given(answers=st.fixed_dictionaries(UNUSUAL_ANSWERS))
def test_unusual_answers_are_written_verbatim(
    minimal_template: Path, answers: dict[str, str]
) -> None:
    with only_destination_written() as service:
        message = render_error(minimal_template, service, **answers)

        assert not message or is_clear_error(message, "project_name")
        if not message:
            assert_valid_service(service, **answers)


@pytest.mark.parametrize("question", [*QUESTIONS, COMPUTED])
def test_each_question_rejects_invalid_yaml(minimal_template: Path, question: str) -> None:
    with only_destination_written() as service:
        assert is_clear_error(
            render_error(minimal_template, service, **{question: "[1"}), question
        ) or (question == "project_description")


def test_answers_to_unasked_questions_are_ignored(minimal_template: Path) -> None:
    with only_destination_written() as service:
        assert (
            render_error(minimal_template, service, pooler="pgbouncer", pool_size="7", unheard="of")
            == ""
        )

        assert not {"pool_size", "unheard"} & {*answers_of(service)}


DESTINATIONS = [
    "with space",
    "it's",
    'say "hi"',
    "Grüße 服务",
    "-dash",
    "[x] *y?",
    "$HOME;x",
    "a&b",
]


@pytest.mark.parametrize("name", DESTINATIONS)
def test_printed_commands_quote_any_destination_name(
    minimal_template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    copier.run_copy(str(minimal_template), tmp_path / name, defaults=True)

    assert_valid_service(tmp_path / name, project_name="My Service")
    [command] = re.findall(r"^ *(cd .*)$", capsys.readouterr().err, re.MULTILINE)
    assert shlex.split(command) == ["cd", str(tmp_path / name)]


@pytest.mark.parametrize(
    "answer", ["pool_size=[1", "soft_delete=!!python/object:x", "project_name="]
)
def test_failed_copy_prints_one_line_error_and_writes_nothing(
    minimal_template: Path, tmp_path: Path, answer: str
) -> None:
    result = run(*COPIER, "--defaults", "--data", answer, minimal_template, "service", cwd=tmp_path)

    # Copier prints a traceback before this line.
    assert result.returncode != 0
    assert is_clear_error(result.stdout.splitlines()[-1], answer.partition("=")[0])
    assert not (tmp_path / "service").exists()


def test_destination_that_is_a_file_is_kept_and_named(
    minimal_template: Path, tmp_path: Path
) -> None:
    (tmp_path / "service").write_text("mine")

    result = run(*COPIER, "--defaults", minimal_template, "service", cwd=tmp_path)

    assert result.returncode != 0
    assert "service" in result.stdout.splitlines()[-1]
    assert (tmp_path / "service").read_text() == "mine"


def test_existing_files_are_not_overwritten_without_option(
    minimal_template: Path, tmp_path: Path
) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service/pyproject.toml").write_text("mine")

    result = run(*COPIER, "--defaults", minimal_template, "service", cwd=tmp_path)

    assert result.returncode != 0
    assert "--overwrite" in result.stdout
    assert (tmp_path / "service/pyproject.toml").read_text() == "mine"


def test_error_names_unwritable_destination(minimal_template: Path) -> None:
    result = run(*COPIER, "--defaults", minimal_template, "/proc/service", cwd=minimal_template)

    assert result.returncode != 0
    assert "/proc/service" in result.stdout.splitlines()[-1]


@pytest.mark.slow
@settings(max_examples=5, **HYPOTHESIS_SETTINGS)
@given(answers=st.fixed_dictionaries(UNUSUAL_ANSWERS), choices=st.fixed_dictionaries(CHOICES))
def test_complete_service_with_unusual_answers_is_well_formed(
    render: Renderer, answers: dict[str, str], choices: dict[str, Any]
) -> None:
    with only_destination_written() as service:
        message = render_error(render.template, service, **answers, **choices)

        assert not message or is_clear_error(message, "project_name")
        if not message:
            assert_valid_service(service, **answers, **choices)
            for path in service.rglob("*.py"):
                compile(path.read_text(), path, "exec")
            for path in [*service.rglob("*.yml"), *service.rglob("*.yaml")]:
                yaml.safe_load(path.read_text())


@pytest.mark.slow
@settings(max_examples=3, **HYPOTHESIS_SETTINGS)
@given(text=UNUSUAL_ANSWERS["project_description"])
def test_recopy_gives_same_files(repository: Path, text: str) -> None:
    with only_destination_written() as service:
        copier.run_copy(
            str(repository), service, data={"project_description": text}, defaults=True, quiet=True
        )
        before = files_under(service)

        copier.run_recopy(service, defaults=True, overwrite=True, quiet=True)

        assert files_under(service) == before


@pytest.mark.slow
def test_names_of_locked_packages_are_rejected(service: RenderService) -> None:
    directory = service()
    succeed(UV, "lock", "--quiet", cwd=directory)
    locked = tomllib.loads((directory / "uv.lock").read_text())["package"]

    names = {package["name"] for package in locked} - {"my-service"}

    assert not {
        name for name in names if not (project_name_error(name) or conflicts_with_example(name))
    }


@pytest.mark.slow
def test_service_works_in_directory_with_special_characters(render: Renderer, start: Start) -> None:
    text = """Says "hello", 'bye', C:\\new {{ 7 * 7 }} <b> in ünïcode 😀"""
    with open_directory() as directory:
        service = directory / "Grüße an [alle]"
        render.into(service, project_description=text, project_name="My Service")

        server = start(service, *DEV)

        about = server.get("/openapi.json").json()["info"]
        assert (about["title"], about["description"]) == ("My Service", text)
        server.interrupt()
        succeed(UV, "run", "pytest", "-q", "tests/architecture/test_env_example.py", cwd=service)
