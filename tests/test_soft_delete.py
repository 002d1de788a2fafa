"""A service without soft delete contains no code or text about it."""

from tests.rendering import Renderer, files_under

# docs/updating.md explains a change of the answer to every team.
EXCEPTIONS = {".copier-answers.yml", "docs/updating.md"}
# Words that only a service with soft delete needs.
WORDS = (
    "deleted_at",
    "include_deleted",
    "excludes_deleted",
    "restor",
    "purge",
    "purging",
    "soft_",
    "soft delet",
)


def files_with_words(service: dict[str, bytes]) -> set[str]:
    """Return the files whose name or content contains one of the words."""
    return {
        name
        for name, content in service.items()
        if name not in EXCEPTIONS
        and any(word in name or word.encode() in content.lower() for word in WORDS)
    }


def test_service_with_hard_delete_does_not_mention_soft_delete(
    render: Renderer,
) -> None:
    assert files_with_words(files_under(render(soft_delete=False))) == set()
    assert "src/app/kit/db/deletion.py" in files_with_words(files_under(render()))
