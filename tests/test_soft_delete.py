"""The answer about deletion that was not chosen leaves nothing behind."""

from tests.rendering import Renderer, files_under

# What goes with a change of the answer is told to every team.
TOLD = {".copier-answers.yml", "docs/updating.md"}
# Words that only a service which hides deleted rows has use for.
TRACES = (
    "deleted_at",
    "include_deleted",
    "living_only",
    "restor",
    "purge",
    "purging",
    "soft_",
    "soft delet",
)


def traces(service: dict[str, bytes]) -> set[str]:
    """The files in which one of the words occurs, or that are named after one."""
    return {
        name
        for name, content in service.items()
        if name not in TOLD
        and any(word in name or word.encode() in content.lower() for word in TRACES)
    }


def test_a_service_that_deletes_for_good_has_no_trace_of_the_other_answer(
    render: Renderer,
) -> None:
    assert traces(files_under(render(soft_delete=False))) == set()
    assert "src/app/kit/db/deletion.py" in traces(files_under(render()))
