"""Writes what a hundred times the rows cost into docs/scale.md, between its markers."""

from benchmarks import ROOT
from benchmarks.report import BEGIN, END
from benchmarks.scale_side import Side

PAGE = ROOT / "docs" / "scale.md"


def write(sides: list[Side], conditions: list[str], indexed: bool) -> None:
    """Replace what the page said before."""
    small, large = sides
    text = PAGE.read_text()
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    measured = [
        "\n".join(f"- {condition}" for condition in conditions),
        "### How long an answer takes",
        _times(small, large),
        *([] if indexed else ["This PostgreSQL has no pg_trgm: no index for the search."]),
        "### Memory of the service while it streams an export",
        _memory(small, large),
        "### How PostgreSQL answers on the large database",
        *(_plan(name, plans) for name, plans in large.plans.items()),
    ]
    PAGE.write_text(before + "\n\n" + "\n\n".join(measured) + "\n\n" + after)


def _times(small: Side, large: Side) -> str:
    lines = [
        f"| | {_size(small)}, ms | {_size(large)}, ms | times |",
        "|---|--:|--:|--:|",
    ]
    for name, before in small.seconds.items():
        after = large.seconds[name]
        lines.append(
            f"| {name} | {_ms(before)} | {_ms(after)} | {after / before:,.1f} |"
            if after < float("inf")
            else f"| {name} | {_ms(before)} | over the statement's limit | - |"
        )
    return "\n".join(lines)


def _size(side: Side) -> str:
    return f"{side.posts:,} posts, {side.users:,} users"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f}"


def _memory(small: Side, large: Side) -> str:
    lines = ["| rows sent | small, MB | large, MB |", "|--:|--:|--:|"]
    of_small = dict(small.memory)
    for rows, resident in large.memory:
        beside = f"{of_small[rows]:.0f}" if rows in of_small else "-"
        lines.append(f"| {rows:,} | {beside} | {resident:.0f} |")
    rates = f"Rows a second: {small.rows_a_second:,.0f} and {large.rows_a_second:,.0f}."
    return "\n".join([*lines, "", rates])


def _plan(name: str, plans: list[list[str]]) -> str:
    return f"**{name}**\n\n```\n" + "\n\n".join("\n".join(plan) for plan in plans) + "\n```"
