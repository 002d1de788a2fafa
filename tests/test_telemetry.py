"""A service without telemetry contains nothing about OpenTelemetry."""

from tests.rendering import Renderer, files_under

WORDS = (b"opentelemetry", b"otel", b"otlp")


def files_with_words(service: dict[str, bytes]) -> set[str]:
    """Return the files that contain one of the words."""
    return {
        name for name, content in service.items() if any(word in content.lower() for word in WORDS)
    }


def test_service_without_telemetry_does_not_mention_opentelemetry(render: Renderer) -> None:
    assert files_with_words(files_under(render())) == set()
    assert files_with_words(files_under(render(telemetry=True))) == {
        "docs/observability.md",
        "pyproject.toml",
        "src/app/kit/observability/tracing.py",
    }
