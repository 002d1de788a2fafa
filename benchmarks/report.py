"""Writes the results into docs/benchmarks.md, between the markers."""

from collections.abc import Callable

from benchmarks import ROOT
from benchmarks.chart import draw
from benchmarks.measure import Cell, Results
from benchmarks.overhead import Overhead
from benchmarks.overload import Overload
from benchmarks.restart import Restart
from benchmarks.targets import TARGETS, Target
from benchmarks.tasks import TASKS

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
BASELINE = TARGETS[0].name
# The tasks of the chart.
CHARTED_TASKS = ("R1", "R2", "R3", "R5")


def write(
    results: Results,
    overheads: list[Overhead],
    overloads: list[Overload],
    restarts: dict[str, Restart],
    conditions: list[str],
) -> None:
    """Replace the results on the page, and the chart."""
    text = PAGE.read_text()
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    measured = [
        *_measured(results, conditions),
        _overhead(overheads),
        _overload(overloads),
        _restarts(restarts),
    ]
    PAGE.write_text(before + "\n\n" + "\n\n".join(measured) + "\n\n" + after)
    PAGE.with_suffix(".svg").write_text(draw(_shares(results)))


def _measured(results: Results, conditions: list[str]) -> list[str]:
    return [
        "\n".join(f"- {condition}" for condition in conditions),
        "![CPU efficiency relative to raw ASGI + asyncpg](benchmarks.svg)",
        "### CPU per request, in µs",
        _table(results, lambda cell, _baseline: f"{cell.cpu_per_request * 1e6:,.0f}"),
        "### CPU efficiency relative to raw ASGI + asyncpg",
        _table(
            results, lambda cell, baseline: _share(baseline.cpu_per_request / cell.cpu_per_request)
        ),
        "### Requests per second relative to raw ASGI + asyncpg",
        _table(results, lambda cell, baseline: _share(cell.rate / baseline.rate)),
        "### Requests per second",
        _table(results, lambda cell, _baseline: f"{cell.rate:,.0f}"),
        "### p99 latency, in ms",
        _table(results, lambda cell, _baseline: f"{cell.p99_latency * 1e3:,.1f}"),
        "### Round trips to PostgreSQL per request",
        _table(results, lambda cell, _baseline: f"{cell.round_trips:g}"),
        *(f"`{name}` could not be measured: {reason}" for name, reason in results.failures.items()),
        *(
            f"{target}, {task}: {cell.error}"
            for (target, task), cell in results.cells.items()
            if cell.error
        ),
    ]


def _overhead(overheads: list[Overhead]) -> str:
    lines = [
        "### CPU per request of an endpoint that does nothing, in µs",
        "",
        "| | FastAPI alone | this service | ratio |",
        "|---|--:|--:|--:|",
    ]
    lines += [
        f"| {found.logs} | {found.fastapi * 1e6:,.0f} | {found.service * 1e6:,.0f} "
        f"| {found.ratio:.2f} |"
        for found in overheads
    ]
    return "\n".join(lines)


def _overload(overloads: list[Overload]) -> str:
    heads = ["task", "concurrency limiter", "requests per second", "ratio to 16 clients"]
    heads += ["p50", "p99", "fairness", "errors"]
    lines = [
        "### 256 clients on 16 connections",
        "",
        f"| {' | '.join(heads)} |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {result.task} | {result.server} | {result.rate:,.0f} | {result.ratio:.2f} "
        f"| {result.p50:.2f} s | {result.p99:.2f} s | {result.fairness:.2f} "
        f"| {result.errors.total()} |"
        for result in overloads
    ]
    return "\n".join(lines)


def _restarts(restarts: dict[str, Restart]) -> str:
    lines = [
        "### Restart of PostgreSQL",
        "",
        "| | failed when idle | failed under load | succeeded under load | recovery time |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, result in restarts.items():
        lines.append(
            f"| {name} | {result.failed_when_idle} | {result.failed_under_load} "
            f"| {result.succeeded_under_load} | {result.recovery_time:.3f} s |"
        )
    return "\n".join(lines)


def _table(results: Results, show: Callable[[Cell, Cell], str]) -> str:
    lines = ["| |" + "".join(f" {name} |" for name in TASKS), "|---|" + "--:|" * len(TASKS)]
    for target in TARGETS:
        cells = [_cell_text(results, target, task, show) for task in TASKS]
        lines.append(f"| {target.name} |" + "".join(f" {cell} |" for cell in cells))
    return "\n".join(lines)


def _cell_text(
    results: Results, target: Target, task: str, show: Callable[[Cell, Cell], str]
) -> str:
    if target.app in results.failures:
        return "not measured"
    if task not in target.paths:
        return "-"
    cell = results.cells[target.name, task]
    return "error" if cell.error else show(cell, results.cells[BASELINE, task])


def _share(ratio: float) -> str:
    return f"{ratio:.2f}"


def _shares(results: Results) -> dict[str, list[tuple[str, float]]]:
    """Return the bars of the chart: for each task, the efficiency of each target."""
    return {
        f"{task}: {TASKS[task].description}": [
            (target, results.cells[BASELINE, task].cpu_per_request / cell.cpu_per_request)
            for (target, charted), cell in results.cells.items()
            if charted == task and cell.cpu
        ]
        for task in CHARTED_TASKS
    }
