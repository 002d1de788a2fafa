"""A diagram in the words of Mermaid (https://mermaid.js.org/syntax/entityRelationshipDiagram)."""

import re
from collections.abc import Iterator

from app.kit.diagram.model import Diagram, Field, Link


def mermaid(diagram: Diagram) -> str:
    """The diagram as text that a browser, GitHub or GitLab draws."""
    return "\n".join(["erDiagram", *_tables(diagram), *map(_link, diagram.links)]) + "\n"


def _tables(diagram: Diagram) -> Iterator[str]:
    for name, fields in diagram.tables.items():
        yield f"    {_name(name)} {{"
        yield from map(_field, fields)
        yield "    }"


def _field(field: Field) -> str:
    marks = {"PK": field.is_key, "FK": field.refers, "UK": field.is_unique and not field.is_key}
    said = ", ".join(mark for mark, has in marks.items() if has)
    comment = ' "may be empty"' if field.may_be_empty else ""
    return f"        {field.type} {field.name} {said}{comment}".rstrip()


def _link(link: Link) -> str:
    parent = "|o" if link.may_be_empty else "||"
    child = "o|" if link.is_unique else "o{"
    return f"    {_name(link.parent)} {parent}--{child} {_name(link.child)} : {link.child_field}"


def _name(table: str) -> str:
    return table if re.fullmatch(r"[A-Za-z_]\w*", table) else f'"{table}"'
