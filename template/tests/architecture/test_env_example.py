"""`.env.example` contains every setting."""

from pathlib import Path

from pydantic import BaseModel

from app.settings import Settings

ENV_EXAMPLE = Path(__file__).parents[2] / ".env.example"


def variables(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Return the environment variables that a settings class reads."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found |= variables(annotation, f"{prefix}{name}_")
        else:
            found.add(f"{prefix}{name}".upper())
    return found


def test_env_example_contains_exactly_the_settings() -> None:
    lines = ENV_EXAMPLE.read_text().splitlines()
    documented = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert documented == variables(Settings), "list each setting below the marker line"
