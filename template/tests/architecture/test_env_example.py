"""`.env.example` contains every setting."""

from pathlib import Path

from app.kit.settings import variables_of
from app.settings import Settings

ENV_EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_env_example_contains_exactly_the_settings() -> None:
    lines = ENV_EXAMPLE.read_text().splitlines()
    documented = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert documented == {*variables_of(Settings)}, "list each setting below the marker line"
