"""The answer that there are no traces leaves nothing behind."""

from tests.rendering import Renderer, files_under

WORDS = (b"opentelemetry", b"otel", b"otlp")


def those_about_it(service: dict[str, bytes]) -> set[str]:
    """The files in which one of the words occurs."""
    return {
        name for name, content in service.items() if any(word in content.lower() for word in WORDS)
    }


def test_a_service_without_traces_has_no_trace_of_them(render: Renderer) -> None:
    assert those_about_it(files_under(render())) == set()
    assert those_about_it(files_under(render(telemetry=True))) == {
        "docs/observability.md",
        "pyproject.toml",
        "src/app/kit/tracing.py",
        "tests/kit/test_tracing.py",
    }
