"""Bar charts as SVG, without scripts."""

from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, GAP, TITLE = 760, 180, 18, 5, 34
# Readable on light and on dark backgrounds.
OURS, OTHERS, TEXT = "#2f7ed8", "#9aa5b1", "#6b7280"


def draw(panels: dict[str, list[tuple[str, float]]]) -> str:
    """Draw one panel of bars below the other; a value of 1 has the full width."""
    lines: list[str] = []
    top = 0
    for title, bars in panels.items():
        top += TITLE
        lines.append(_text(0, top - 10, title, weight="bold"))
        for name, value in bars:
            lines += _bar(top, name, value)
            top += BAR + GAP
    height = top + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="13" fill="{TEXT}">\n'
        + "\n".join(lines)
        + "\n</svg>\n"
    )


def _bar(top: int, name: str, value: float) -> list[str]:
    color = OURS if name.startswith("this service") else OTHERS
    width = round(min(value, 1) * (WIDTH - LABEL - 50))
    middle = top + BAR - 5
    return [
        _text(0, middle, name),
        f'<rect x="{LABEL}" y="{top}" width="{width}" height="{BAR}" fill="{color}"/>',
        _text(LABEL + width + 6, middle, f"{value:.2f}"),
    ]


def _text(x: int, y: int, text: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}">{escape(text)}</text>'
