"""The diagram in docs/ matches the models."""

from app.about import NAME
from app.kit.cli.commands.diagram import DOCS, FILE_NAME, page


def test_diagram_in_docs_is_current_if_it_exists() -> None:
    kept = DOCS / FILE_NAME
    assert not kept.exists() or kept.read_text() == page(NAME), f"run `{NAME} diagram`"
