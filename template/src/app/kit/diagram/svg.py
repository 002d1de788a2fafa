"""A diagram as a picture (SVG), drawn without any program or font of the machine."""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from app.kit.diagram.columns import Line
from app.kit.diagram.layout import Box, Layout, Size, layout
from app.kit.diagram.model import Diagram, Field, Link

# Of a letter, in a font in which all are as wide.
_LETTER, _ROW, _PADDING, _MARGIN = 7.3, 20.0, 10.0, 24.0
_MARKS, _BETWEEN = 3, 2
# How far a line is straight at its ends, and how far one stands out that leads back.
_STRAIGHT, _LOOP = 20.0, 30.0

_STYLE = """
text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #1f2328; }
.title { font-weight: bold; } .type, .mark { fill: #59636e; }
.paper { fill: #ffffff; } .box { fill: #ffffff; stroke: #818b98; } .head { fill: #ddf4ff; }
.line { fill: none; stroke: #59636e; stroke-width: 1.3; } .hole { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; } .type, .mark { fill: #9198a1; }
.paper, .box, .hole { fill: #0d1117; } .box { stroke: #656c76; } .head { fill: #121d2f; }
.line { stroke: #9198a1; }
}
"""


def svg(diagram: Diagram, title: str) -> str:
    """The diagram as a document that stands by itself."""
    sizes = {name: _size(name, fields) for name, fields in diagram.tables.items()}
    lines = {link: _ends(link, diagram) for link in diagram.links}
    found = layout(sizes, lines.values())
    # A reference to its own table is drawn beside it.
    beside = _LOOP if any(link.parent == link.child for link in diagram.links) else 0
    width = round(found.size[0] + 2 * _MARGIN + beside)
    height = round(found.size[1] + 2 * _MARGIN)
    view = f"{-_MARGIN:g} {-_MARGIN:g} {width} {height}"
    size = f'width="{width}" height="{height}" viewBox="{view}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" x="{-_MARGIN:g}" y="{-_MARGIN:g}" width="100%" height="100%"/>',
        *(part for link, line in lines.items() for part in _line(link, line, found)),
        *(part for name, box in found.boxes.items() for part in _box(name, box, diagram)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _ends(link: Link, diagram: Diagram) -> Line:
    """From the key of the parent to the column that refers to it."""
    return Line(
        parent=link.parent,
        child=link.child,
        leaves=_row(diagram.tables[link.parent], link.parent_field),
        arrives=_row(diagram.tables[link.child], link.child_field),
    )


def _row(fields: tuple[Field, ...], name: str) -> float:
    """How far the middle of the row of a column is below the top of the box."""
    return _ROW * ([field.name for field in fields].index(name) + 1.5)


def _size(name: str, fields: tuple[Field, ...]) -> Size:
    names = max((len(field.name) for field in fields), default=0)
    types = max((len(_type(field)) for field in fields), default=0)
    letters = max(_MARKS + names + _BETWEEN + types, len(name))
    return round(letters * _LETTER + 2 * _PADDING, 1), _ROW * (len(fields) + 1) + 6


def _type(field: Field) -> str:
    return f"{field.type}?" if field.may_be_empty else field.type


def _box(name: str, box: Box, diagram: Diagram) -> Iterator[str]:
    x, y, width = box.x, box.y, box.width
    rectangle = f'x="{x:g}" y="{y:g}" width="{width:g}"'
    yield f'<rect class="box" {rectangle} height="{box.height:g}"/>'
    yield f'<rect class="box head" {rectangle} height="{_ROW:g}"/>'
    yield _text("title", x + _PADDING, y, name)
    for row, field in enumerate(diagram.tables[name], 1):
        at = y + row * _ROW
        mark = "PK" if field.is_key else "FK" if field.refers else "U" if field.is_unique else ""
        if mark:
            yield _text("mark", x + _PADDING, at, mark)
        yield _text("name", x + _PADDING + _MARKS * _LETTER, at, field.name)
        yield _text("type", x + width - _PADDING, at, _type(field), ' text-anchor="end"')


def _text(kind: str, x: float, y: float, text: str, more: str = "") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y + 14.5:g}"{more}>{escape(text)}</text>'


def _line(link: Link, line: Line, found: Layout) -> Iterator[str]:
    parent, child = found.boxes[link.parent], found.boxes[link.child]
    start, end = parent.y + line.leaves, child.y + line.arrives
    side = 1 if parent.x <= child.x else -1
    if link.parent == link.child:
        x = parent.x + parent.width
        yield f'<path class="line" d="M{x:g} {start:g}h{_LOOP:g}V{end:g}h-{_LOOP:g}"/>'
        yield from _one(link, x, start, 1)
        yield from _foot(link, x, end, 1)
        return
    (left, y), (right, last) = sorted([(parent.x, start), (child.x, end)])
    left += (parent if side == 1 else child).width
    drawn, here = f"M{left:g} {y:g}H{left + _STRAIGHT:g}", left + _STRAIGHT
    for enters, leaves, at in [*found.lanes.get(line, []), (right - _STRAIGHT, right, last)]:
        half = (here + enters) / 2
        drawn += f"C{half:g} {y:g} {half:g} {at:g} {enters:g} {at:g}H{leaves:g}"
        here, y = leaves, at
    yield f'<path class="line" d="{drawn}"/>'
    near, far = ((left, start), (right, end)) if side == 1 else ((right, start), (left, end))
    yield from _one(link, *near, side)
    yield from _foot(link, *far, -side)


def _one(link: Link, x: float, y: float, side: int) -> Iterator[str]:
    """At the parent: a bar for exactly one, a ring where there may be none."""
    if link.may_be_empty:
        yield f'<circle class="line hole" cx="{x + 9 * side:g}" cy="{y:g}" r="4"/>'
    else:
        yield f'<path class="line" d="M{x + 7 * side:g} {y - 5:g}v10"/>'


def _foot(link: Link, x: float, y: float, side: int) -> Iterator[str]:
    """At the child: a ring and a bar for at most one, a crow's foot for any number."""
    if link.is_unique:
        yield f'<path class="line" d="M{x + 7 * side:g} {y - 5:g}v10"/>'
    else:
        tip = f"{x + 10 * side:g} {y:g}"
        yield f'<path class="line" d="M{x:g} {y - 6:g}L{tip}L{x:g} {y + 6:g}"/>'
    yield f'<circle class="line hole" cx="{x + 14 * side:g}" cy="{y:g}" r="4"/>'
