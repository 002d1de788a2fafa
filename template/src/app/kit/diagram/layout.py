"""Where the boxes of a diagram are: what is referred to stands left of what refers to it.

Boxes are in columns, by the longest way of references to them, and all in a column are as wide. A
line that passes a column has a lane of its own in it, so that it goes between the boxes and not
behind them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean
from typing import NamedTuple

from app.kit.diagram.columns import LANE, Columns, Line, Place, columns_of

Size = tuple[float, float]

GAP_BESIDE, GAP_BELOW = 100.0, 28.0
_SWEEPS, _BEGINNINGS = 8, 5


@dataclass(frozen=True)
class Box:
    """Its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """The boxes, the lanes of lines between them, and the size of it all."""

    boxes: dict[str, Box]
    # For each line, left to right, where it enters and leaves the columns that it passes.
    lanes: dict[Line, list[tuple[float, float, float]]]
    size: Size


def layout(sizes: Mapping[str, Size], lines: Iterable[Line]) -> Layout:
    """Place boxes that are at least of these sizes."""
    known = [*dict.fromkeys(lines)]
    tried: list[_Ordered] = []
    # An order that no single move makes better depends on where it began.
    for names in _beginnings([*sizes]):
        tried.append(_ordered(names, sizes, known))
        if tried[-1].crossings == 0:
            break
    _, found, heights, tops = min(tried, key=lambda each: each.crossings)
    for column in found.columns:
        _stack(column, heights, tops, tops)
    _near_each_other(found, heights, tops, sort=False)
    return _drawn(sizes, found, heights, tops)


class _Ordered(NamedTuple):
    """Columns with few crossings, the heights of the places, and about where they are."""

    crossings: int
    columns: Columns
    heights: dict[Place, float]
    tops: dict[Place, float]


def _beginnings(names: list[str]) -> Iterator[list[str]]:
    step = max(1, len(names) // _BEGINNINGS)
    for first in range(0, max(1, len(names)), step):
        turned = names[first:] + names[:first]
        yield turned
        yield turned[::-1]


def _ordered(names: Sequence[str], sizes: Mapping[str, Size], lines: Sequence[Line]) -> _Ordered:
    found = columns_of(names, lines)
    heights = {
        place: sizes[place][1] if isinstance(place, str) else LANE
        for column in found.columns
        for place in column
    }
    tops: dict[Place, float] = {}
    for column in found.columns:
        _stack(column, heights, tops, dict.fromkeys(column, 0.0))
    _near_each_other(found, heights, tops, sort=True)
    found.uncross()
    return _Ordered(found.crossings(), found, heights, tops)


def _near_each_other(
    found: Columns, heights: Mapping[Place, float], tops: dict[Place, float], *, sort: bool
) -> None:
    """Have the lines as level as the order in the columns allows, or such an order first."""
    for sweep in range(_SWEEPS):
        for column in found.columns if sweep % 2 else reversed(found.columns):
            wish = {place: _wish(found, tops, place) for place in column}
            if sort:
                column.sort(key=lambda place: (wish[place], tops[place]))
            _stack(column, heights, tops, wish)


def _wish(found: Columns, tops: Mapping[Place, float], place: Place) -> float:
    """Where its lines would be level."""
    level = [tops[other] + there - here for here, (other, there) in found.near(place)]
    return fmean(level) if level else tops[place]


def _stack(
    column: Sequence[Place],
    heights: Mapping[Place, float],
    tops: dict[Place, float],
    wish: Mapping[Place, float],
) -> None:
    """Put one below the other, each as near to where it wishes as the others allow."""
    offsets = [*accumulate(heights[place] + GAP_BELOW for place in column)]
    # Those that touch, as one: they stand at the mean of what they wish.
    touching: list[list[float]] = []
    for place, offset in zip(column, [0.0, *offsets], strict=False):
        touching.append([wish[place] - offset])
        while len(touching) > 1 and fmean(touching[-2]) >= fmean(touching[-1]):
            touching[-2:] = [[*touching[-2], *touching[-1]]]
    shifts = [fmean(group) for group in touching for _ in group]
    for place, offset, shift in zip(column, [0.0, *offsets], shifts, strict=False):
        tops[place] = offset + shift


def _drawn(
    sizes: Mapping[str, Size],
    found: Columns,
    heights: Mapping[Place, float],
    tops: Mapping[Place, float],
) -> Layout:
    highest = min(tops.values(), default=0.0)
    boxes: dict[str, Box] = {}
    lanes: dict[Line, list[tuple[float, float, float]]] = {}
    x = 0.0
    for column in found.columns:
        width = max((sizes[place][0] for place in column if isinstance(place, str)), default=0.0)
        for place in column:
            y = round(tops[place] - highest, 1)
            if isinstance(place, str):
                boxes[place] = Box(x, y, width, heights[place])
            else:
                lanes.setdefault(place[0], []).append((x, x + width, y + LANE / 2))
        x = round(x + width + GAP_BESIDE, 1)
    lowest = max((tops[place] + heights[place] for place in tops), default=highest)
    return Layout(boxes, lanes, (max(x - GAP_BESIDE, 0.0), lowest - highest))
