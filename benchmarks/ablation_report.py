"""Writes the effect of each pattern into docs/ablation.md, between the markers."""

from statistics import median

from benchmarks import ROOT
from benchmarks.ablation_patterns import Pattern
from benchmarks.measure import Cell
from benchmarks.report import BEGIN, END

PAGE = ROOT / "docs" / "ablation.md"
HEADERS = (
    "pattern",
    "alternative",
    "task",
    "CPU, µs",
    "alternative",
    "saved",
    "requests per second",
    "alternative",
    "round trips",
    "alternative",
)


def write(measured: list[tuple[Pattern, tuple[Cell, Cell]]], conditions: list[str]) -> None:
    """Replace the results on the page."""
    text = PAGE.read_text()
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    lines = [
        f"| {' | '.join(HEADERS)} |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|",
        *(_line(pattern, *cells) for pattern, cells in measured),
    ]
    conditions_list = "\n".join(f"- {condition}" for condition in conditions)
    PAGE.write_text("\n\n".join([before, conditions_list, "\n".join(lines), after]))


def _line(pattern: Pattern, on: Cell, off: Cell) -> str:
    # Compare within a round, because both have about the same other load on the machine.
    share = median(
        with_pattern / without for with_pattern, without in zip(on.cpu, off.cpu, strict=True)
    )
    return (
        f"| {pattern.name} | {pattern.alternative} | {pattern.task} "
        f"| {on.cpu_per_request * 1e6:,.0f} | {off.cpu_per_request * 1e6:,.0f} | {1 - share:.0%} "
        f"| {on.rate:,.0f} | {off.rate:,.0f} | {on.round_trips:g} | {off.round_trips:g} |"
    )
