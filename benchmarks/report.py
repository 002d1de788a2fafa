"""Writes what was measured into docs/benchmarks.md, between its markers."""

from collections.abc import Callable

from benchmarks import ROOT
from benchmarks.chart import draw
from benchmarks.lineup import CONTENDERS, Contender
from benchmarks.measure import Cell, Results
from benchmarks.overhead import Overhead
from benchmarks.overload import Overload
from benchmarks.restart import Restart
from benchmarks.workload import WORKS

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
LIMIT = CONTENDERS[0].name
# What the picture shows.
SHOWN = ("R1", "R2", "R3", "R5")


def write(
    results: Results,
    overheads: list[Overhead],
    loads: list[Overload],
    restarts: dict[str, Restart],
    conditions: list[str],
) -> None:
    """Replace what the page said before."""
    text = PAGE.read_text()
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    measured = [
        *_measured(results, conditions),
        _overhead(overheads),
        _overload(loads),
        _restarts(restarts),
    ]
    PAGE.write_text(before + "\n\n" + "\n\n".join(measured) + "\n\n" + after)
    PAGE.with_suffix(".svg").write_text(draw(_shares(results)))


def _measured(results: Results, conditions: list[str]) -> list[str]:
    return [
        "\n".join(f"- {condition}" for condition in conditions),
        "![Share of the limit, by CPU for a request](benchmarks.svg)",
        "### CPU for a request, in µs",
        _table(results, lambda cell, _limit: f"{cell.cost * 1e6:,.0f}"),
        "### Share of the limit, by CPU for a request",
        _table(results, lambda cell, limit: _share(limit.cost / cell.cost)),
        "### Share of the limit, by requests a second",
        _table(results, lambda cell, limit: _share(cell.rate / limit.rate)),
        "### Requests a second",
        _table(results, lambda cell, _limit: f"{cell.rate:,.0f}"),
        "### Slowest of a hundred (p99), in ms",
        _table(results, lambda cell, _limit: f"{cell.slowest * 1e3:,.1f}"),
        "### Round trips to PostgreSQL for a request",
        _table(results, lambda cell, _limit: f"{cell.round_trips:g}"),
        *(f"`{name}` could not be measured: {why}" for name, why in results.failures.items()),
        *(
            f"{contender}, {work}: {cell.wrong}"
            for (contender, work), cell in results.cells.items()
            if cell.wrong
        ),
    ]


def _overhead(overheads: list[Overhead]) -> str:
    lines = [
        "### CPU for a request to an endpoint that does nothing, in µs",
        "",
        "| with | FastAPI alone | this service | ratio |",
        "|---|--:|--:|--:|",
    ]
    lines += [
        f"| {found.logs} | {found.fastapi * 1e6:,.0f} | {found.service * 1e6:,.0f} "
        f"| {found.ratio:.2f} |"
        for found in overheads
    ]
    return "\n".join(lines)


def _overload(loads: list[Overload]) -> str:
    lines = [
        "### 256 clients on 16 connections",
        "",
        "| work | gate | answers a second | ratio to 16 clients | p50 | p99 | fair | errors |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {met.work} | {met.server} | {met.rate:,.0f} | {met.ratio:.2f} | {met.p50:.2f} s "
        f"| {met.p99:.2f} s | {met.fair:.2f} | {met.errors.total()} |"
        for met in loads
    ]
    return "\n".join(lines)


def _restarts(restarts: dict[str, Restart]) -> str:
    lines = [
        "### A restart of PostgreSQL",
        "",
        "| | failed at rest | failed under load | answered under load | back after |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, met in restarts.items():
        lines.append(
            f"| {name} | {met.failed_at_rest} | {met.failed_under_load} "
            f"| {met.answered_under_load} | {met.back_after:.3f} s |"
        )
    return "\n".join(lines)


def _table(results: Results, show: Callable[[Cell, Cell], str]) -> str:
    lines = ["| |" + "".join(f" {name} |" for name in WORKS), "|---|" + "--:|" * len(WORKS)]
    for contender in CONTENDERS:
        cells = [_shown(results, contender, work, show) for work in WORKS]
        lines.append(f"| {contender.name} |" + "".join(f" {cell} |" for cell in cells))
    return "\n".join(lines)


def _shown(
    results: Results, contender: Contender, work: str, show: Callable[[Cell, Cell], str]
) -> str:
    if contender.program in results.failures:
        return "not measured"
    if work not in contender.paths:
        return "-"
    cell = results.cells[contender.name, work]
    return "wrong" if cell.wrong else show(cell, results.cells[LIMIT, work])


def _share(ratio: float) -> str:
    return f"{ratio:.2f}"


def _shares(results: Results) -> dict[str, list[tuple[str, float]]]:
    """For each kind of work: the contenders and their shares of the limit."""
    return {
        f"{work}: {WORKS[work].what}": [
            (contender, results.cells[LIMIT, work].cost / cell.cost)
            for (contender, of), cell in results.cells.items()
            if of == work and cell.cpu
        ]
        for work in SHOWN
    }
