"""Writes what each pattern saves into docs/savings.md, between its markers."""

from statistics import median

from benchmarks import ROOT
from benchmarks.measure import Cell
from benchmarks.report import BEGIN, END
from benchmarks.savings_lineup import Pattern

PAGE = ROOT / "docs" / "savings.md"
HEADS = (
    "pattern",
    "in place of",
    "work",
    "CPU, µs",
    "without",
    "saved",
    "answers a second",
    "without",
    "round trips",
    "without",
)


def write(found: list[tuple[Pattern, tuple[Cell, Cell]]], conditions: list[str]) -> None:
    """Replace what the page said before."""
    text = PAGE.read_text()
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    lines = [
        f"| {' | '.join(HEADS)} |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|",
        *(_line(pattern, *cells) for pattern, cells in found),
    ]
    said = "\n".join(f"- {condition}" for condition in conditions)
    PAGE.write_text("\n\n".join([before, said, "\n".join(lines), after]))


def _line(pattern: Pattern, on: Cell, off: Cell) -> str:
    # Round by round: the rest of the machine is about as busy for both.
    share = median(one / other for one, other in zip(on.cpu, off.cpu, strict=True))
    return (
        f"| {pattern.name} | {pattern.in_place_of} | {pattern.work} "
        f"| {on.cost * 1e6:,.0f} | {off.cost * 1e6:,.0f} | {1 - share:.0%} "
        f"| {on.rate:,.0f} | {off.rate:,.0f} | {on.round_trips:g} | {off.round_trips:g} |"
    )
