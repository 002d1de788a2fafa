"""Where the boxes of a diagram are: what is referred to stands left of what refers to it.

Boxes are in columns, by the longest way of references to them. A line that passes a column has a
place of its own in it, so that it goes between the boxes and not behind them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from statistics import fmean

Size = tuple[float, float]
Edge = tuple[str, str]
# A box by its name, or the place of a line in a column.
Place = str | tuple[Edge, int]

GAP_BESIDE, GAP_BELOW = 100.0, 28.0
_LANE: Size = (0.0, 10.0)
_SWEEPS = 8


@dataclass(frozen=True)
class Layout:
    """Upper left corners, the lines' places between the boxes, and the size of it all."""

    corners: dict[str, tuple[float, float]]
    # For each line, left to right, where it enters and leaves the columns that it passes.
    lanes: dict[Edge, list[tuple[float, float, float]]]
    size: Size


def layout(sizes: Mapping[str, Size], edges: Iterable[Edge]) -> Layout:
    """Place boxes of these sizes; an edge leads from what is referred to, to what refers."""
    lines = sorted({edge for edge in edges if edge[0] != edge[1]})
    ranks = _ranks(sorted(sizes), lines)
    columns: list[list[Place]] = [[] for _ in range(max(ranks.values(), default=0) + 1)]
    for name in sorted(sizes):
        columns[ranks[name]].append(name)
    near: dict[Place, list[Place]] = {name: [] for name in sizes}
    for edge in lines:
        left, right = sorted(edge, key=ranks.__getitem__)
        passed: list[Place] = [(edge, rank) for rank in range(ranks[left] + 1, ranks[right])]
        for place, rank in zip(passed, range(ranks[left] + 1, ranks[right]), strict=True):
            columns[rank].append(place)
            near[place] = []
        way: list[Place] = [left, *passed, right]
        for one, other in pairwise(way):
            near[one].append(other)
            near[other].append(one)
    return _drawn(sizes, columns, _heights(sizes, columns, near))


def _ranks(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The column of each box; where references go in a circle, one of them leads back."""
    parents = {name: [parent for parent, child in edges if child == name] for name in names}
    above: list[str] = []

    @cache
    def rank(name: str) -> int:
        above.append(name)
        found = max((rank(each) + 1 for each in parents[name] if each not in above), default=0)
        above.pop()
        return found

    return {name: rank(name) for name in names}


def _heights(
    sizes: Mapping[str, Size],
    columns: list[list[Place]],
    near: Mapping[Place, Sequence[Place]],
) -> dict[Place, float]:
    """The middle of each place, as near to its neighbours as those above and below it allow."""
    middle: dict[Place, float] = {}
    for column in columns:
        _stack(sizes, column, middle, dict.fromkeys(column, 0.0))
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            wish = {
                place: fmean(middle[each] for each in near[place]) if near[place] else middle[place]
                for place in column
            }
            column.sort(key=lambda place: (wish[place], middle[place]))
            _stack(sizes, column, middle, wish)
    return middle


def _stack(
    sizes: Mapping[str, Size],
    column: Sequence[Place],
    middle: dict[Place, float],
    wish: Mapping[Place, float],
) -> None:
    """Put one below the other, each no higher than it wishes, and all as near as can be."""
    end = float("-inf")
    for place in column:
        half = _size(sizes, place)[1] / 2
        middle[place] = max(wish[place], end + GAP_BELOW + half)
        end = middle[place] + half
    away = fmean(middle[place] - wish[place] for place in column) if column else 0.0
    for place in column:
        middle[place] -= away


def _drawn(
    sizes: Mapping[str, Size], columns: list[list[Place]], middle: Mapping[Place, float]
) -> Layout:
    tops = [middle[place] - _size(sizes, place)[1] / 2 for place in middle]
    ends = [middle[place] + _size(sizes, place)[1] / 2 for place in middle]
    top = min(tops, default=0.0)
    corners: dict[str, tuple[float, float]] = {}
    lanes: dict[Edge, list[tuple[float, float, float]]] = {}
    x = 0.0
    for column in columns:
        width = max((_size(sizes, place)[0] for place in column), default=0.0)
        for place in column:
            y = middle[place] - top
            if isinstance(place, str):
                corners[place] = (round(x, 1), round(y - sizes[place][1] / 2, 1))
            else:
                lanes.setdefault(place[0], []).append((x, x + width, round(y, 1)))
        x += width + GAP_BESIDE
    return Layout(corners, lanes, (x - GAP_BESIDE, max(ends, default=0.0) - top))


def _size(sizes: Mapping[str, Size], place: Place) -> Size:
    return sizes[place] if isinstance(place, str) else _LANE
