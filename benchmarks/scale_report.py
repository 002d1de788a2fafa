"""Writes the results into docs/scale.md, between the markers."""

from benchmarks import ROOT
from benchmarks.report import BEGIN, END
from benchmarks.scale_environment import Environment

PAGE = ROOT / "docs" / "scale.md"


def write(environments: list[Environment], conditions: list[str], indexed: bool) -> None:
    """Replace the results on the page."""
    small, large = environments
    text = PAGE.read_text()
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    measured = [
        "\n".join(f"- {condition}" for condition in conditions),
        "### Response times",
        _times(small, large),
        *(
            []
            if indexed
            else ["This PostgreSQL has no pg_trgm, so there is no index for the search."]
        ),
        "### Memory during a streamed export",
        _memory(small, large),
        "### Query plans on the large database",
        *(_plan(name, plans) for name, plans in large.plans.items()),
    ]
    PAGE.write_text(before + "\n\n" + "\n\n".join(measured) + "\n\n" + after)


def _times(small: Environment, large: Environment) -> str:
    lines = [
        f"| | {_size(small)}, ms | {_size(large)}, ms | ratio |",
        "|---|--:|--:|--:|",
    ]
    for name, before in small.seconds.items():
        after = large.seconds[name]
        lines.append(
            f"| {name} | {_ms(before)} | {_ms(after)} | {after / before:,.1f} |"
            if after < float("inf")
            else f"| {name} | {_ms(before)} | statement timeout | - |"
        )
    return "\n".join(lines)


def _size(environment: Environment) -> str:
    return f"{environment.posts:,} posts, {environment.users:,} users"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f}"


def _memory(small: Environment, large: Environment) -> str:
    lines = ["| rows sent | small, MB | large, MB |", "|--:|--:|--:|"]
    of_small = dict(small.memory)
    for rows, resident in large.memory:
        small_memory = f"{of_small[rows]:.0f}" if rows in of_small else "-"
        lines.append(f"| {rows:,} | {small_memory} | {resident:.0f} |")
    rates = f"Rows per second: {small.rows_per_second:,.0f} and {large.rows_per_second:,.0f}."
    return "\n".join([*lines, "", rates])


def _plan(name: str, plans: list[list[str]]) -> str:
    return f"**{name}**\n\n```\n" + "\n\n".join("\n".join(explain) for explain in plans) + "\n```"
