"""Answers of earlier releases stay valid: Copier silently resets an invalid stored answer."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from tests.rendering import FILTERS_OF_COPIER, ROOT, answers_of
from tests.updates.conftest import ServiceFactory
from tests.updates.history import CURRENT, MILESTONES, RELEASES, unpack

# Answers to questions without choices.
TEXTS = ["A", "My Service", "my.service_2 - b", "x" * 60, "Zebra Crossing", "Zählt", "x" * 200]
NUMBERS = [-1, 0, 0.1, 0.5, 1, 2, 2.5, 16, 37, 300, 1000, 1800, 3600, 86400]
EXTREMES: dict[str, Any] = {
    "project_name": "x" * 60,
    "project_description": 'Says "hello: {{ world }}" # in $HOME',
    "python_version": "3.14",
    "pk_type": "int",
    "lazy_strategy": "selectin",
    "soft_delete": False,
    "pool_size": 1000,
    "max_overflow": 1000,
    "pool_timeout": 0.1,
    "pool_recycle": -1,
    "pool_pre_ping": True,
    "example": False,
    "ci": "gitlab",
}


class Questionnaire:
    """The questions of one release."""

    def __init__(self, directory: Path) -> None:
        self._jinja = SandboxedEnvironment(
            loader=FileSystemLoader(directory),
            extensions=[FILTERS_OF_COPIER],
            undefined=StrictUndefined,
        )
        entries = yaml.safe_load((directory / "copier.yml").read_text())
        self.questions: dict[str, dict[str, Any]] = {
            name: entry
            for name, entry in entries.items()
            if not name.startswith("_") and entry.get("when") is not False
        }

    def accepts(self, name: str, value: Any) -> bool:
        """Return whether a new service accepts this answer."""
        question = self.questions[name]
        if "choices" in question and value not in self.choices(name):
            return False
        validator = self._jinja.from_string(question.get("validator", ""))
        # The destination does not exist, so there are no earlier answers.
        conf = {"dst_path": "/nowhere", "answers_file": ".copier-answers.yml", "data": {}}
        context = {"_copier_conf": conf, "_external_data": {}, "project_name": "My Service"}
        return validator.render({**context, name: value}).strip() == ""

    def choices(self, name: str) -> list[Any]:
        """Return the values of the choices."""
        choices = self.questions[name]["choices"]
        return list(choices.values()) if isinstance(choices, dict) else list(choices)

    def answers(self, name: str) -> list[Any]:
        """Return accepted answers to the question."""
        question = self.questions[name]
        if "choices" in question:
            return self.choices(name)
        kind = self._jinja.from_string(question["type"]).render()
        if kind == "bool":
            return [True, False]
        # Since 0.6.0, numbers have the computed type `str`, so that the validator rejects them.
        is_text = "str" in kind and "import number" not in question["type"]
        candidates = TEXTS if is_text else NUMBERS
        return [value for value in candidates if self.accepts(name, value)]


@pytest.fixture(params=RELEASES, scope="module")
def released(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Questionnaire:
    """The questions of a release."""
    directory = tmp_path_factory.mktemp("released")
    unpack(RELEASES[request.param], directory)
    return Questionnaire(directory)


def test_released_questions_exist_or_have_successor(
    released: Questionnaire,
) -> None:
    current = Questionnaire(ROOT).questions

    for name in released.questions.keys() - current.keys():
        assert any(name in str(question.get("default")) for question in current.values()), (
            f"the answers to {name} would be lost: give the question that replaces it the "
            f"default '{{{{ {name} | default(...) }}}}'"
        )


def test_released_answers_are_still_accepted(released: Questionnaire) -> None:
    current = Questionnaire(ROOT)

    for name in released.questions.keys() & current.questions.keys():
        answers = released.answers(name)
        assert len(answers) >= 2
        refused = [value for value in answers if not current.accepts(name, value)]
        assert not refused, f"{name}: Copier would replace these answers by the default: {refused}"


@pytest.mark.slow
@pytest.mark.parametrize("version", MILESTONES)
def test_update_keeps_extreme_answers(service_at: ServiceFactory, version: str) -> None:
    service = service_at(version, **EXTREMES)

    service.update()

    assert answers_of(service.directory).items() >= EXTREMES.items()


@pytest.mark.slow
def test_update_can_tune_and_reset_pool(service_at: ServiceFactory) -> None:
    service = service_at(CURRENT)
    service.update(pool_size=37)
    assert answers_of(service.directory).items() >= {"tune_pool": True, "pool_size": 37}.items()
    service.commit()

    service.update(tune_pool=False)

    assert service.conflicts() == []
    assert "pool_size: int = Field(16," in service.read("src/app/kit/db/pool.py")
    stored = answers_of(service.directory)
    assert not [name for name in stored if name.startswith("pool_") or name == "max_overflow"]


def test_questionnaire_detects_narrower_validator_and_missing_choice(tmp_path: Path) -> None:
    text = (ROOT / "copier.yml").read_text()
    for old, new in [
        ("pool_size, 1, 1000)", "pool_size, 1, 100)"),
        (": selectin\n", ": eager\n"),
    ]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    (tmp_path / "copier.yml").write_text(text)
    shutil.copytree(ROOT / "includes", tmp_path / "includes")
    changed = Questionnaire(tmp_path)

    assert not changed.accepts("pool_size", 1000)
    assert not changed.accepts("lazy_strategy", "selectin")
