"""A diagram in the words of Mermaid (https://mermaid.js.org/syntax/entityRelationshipDiagram)."""

import re
from collections.abc import Iterator

from app.kit.diagram.model import Diagram, Field, Link

# What stands in a table for a kind of key, and so cannot be a name there.
_KEYS = {"PK", "FK", "UK"}


def mermaid(diagram: Diagram) -> str:
    """The diagram as text that a browser, GitHub or GitLab draws."""
    return "\n".join(["erDiagram", *_tables(diagram), *map(_link, diagram.links)]) + "\n"


def _tables(diagram: Diagram) -> Iterator[str]:
    for name, fields in diagram.tables.items():
        yield f"    {_quoted(name)} {{"
        yield from map(_field, fields)
        yield "    }"


def _field(field: Field) -> str:
    marks = {"PK": field.is_key, "FK": field.refers, "UK": field.is_unique and not field.is_key}
    said = ", ".join(mark for mark, has in marks.items() if has)
    comment = ' "may be empty"' if field.may_be_empty else ""
    return f"        {_word(field.type)} {_word(field.name)} {said}{comment}".rstrip()


def _link(link: Link) -> str:
    parent = "|o" if link.may_be_empty else "||"
    child = "o|" if link.is_unique else "o{"
    tables = f"{_quoted(link.parent)} {parent}--{child} {_quoted(link.child)}"
    return f"    {tables} : {_quoted(link.child_field)}"


def _quoted(name: str) -> str:
    """A name that is no word of the language, as `style`, `end` and `many` are."""
    return '"' + re.sub(r'["%\\]', "_", name) + '"'


def _word(name: str) -> str:
    """A name where none can be quoted, as older releases of Mermaid read it too."""
    word = re.sub(r"[^A-Za-z0-9_()\[\]-]", "_", name)
    return f"_{word}" if word in _KEYS or not re.match(r"[A-Za-z_]", word) else word
