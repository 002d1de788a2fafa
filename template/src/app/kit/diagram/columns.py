"""Which box stands in which column of a diagram, and in which order, so that few lines cross."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, combinations, pairwise


@dataclass(frozen=True)
class Line:
    """A reference: the boxes, and how far below their tops it leaves the one and reaches the other.

    It is drawn from the parent, which is referred to, to the child.
    """

    parent: str
    child: str
    leaves: float = 0.0
    arrives: float = 0.0


# A box by its name, or the lane of a line in a column that it passes.
Place = str | tuple[Line, int]
# Where a line comes from or goes to in the next column, and how far below the top of that place.
End = tuple[Place, float]
# For each place, how far below its own top it is tied to which ends.
Ties = dict[Place, list[tuple[float, End]]]

LANE = 10.0
_PASSES = 4


@dataclass
class Columns:
    """The columns, left to right, each from top to bottom."""

    columns: list[list[Place]]
    left: Ties = field(default_factory=Ties)
    right: Ties = field(default_factory=Ties)

    def tie(self, one: End, other: End) -> None:
        """Note that a line goes from a place to one in the column right of it."""
        self.right.setdefault(one[0], []).append((one[1], other))
        self.left.setdefault(other[0], []).append((other[1], one))

    def near(self, place: Place) -> list[tuple[float, End]]:
        """All that a place is tied to."""
        return [*self.left.get(place, ()), *self.right.get(place, ())]

    def crossings(self) -> int:
        """How many lines cross."""
        rank = self._rank()
        return sum(
            self._crossing(above, below, rank)
            for column in self.columns
            for above, below in combinations(column, 2)
        )

    def uncross(self) -> None:
        """Move each place to where the fewest lines cross, while that makes them fewer."""
        rank = self._rank()
        for _ in range(_PASSES):
            moved = [
                self._move(column, place, rank) for column in self.columns for place in [*column]
            ]
            if not any(moved):
                return

    def _rank(self) -> dict[Place, int]:
        return {place: index for column in self.columns for index, place in enumerate(column)}

    def _move(self, column: list[Place], place: Place, rank: dict[Place, int]) -> bool:
        others = [each for each in column if each != place]
        # How many more cross where it stands below each of the others, and not above.
        more = [
            self._crossing(other, place, rank) - self._crossing(place, other, rank)
            for other in others
        ]
        costs = [0, *accumulate(more)]
        if min(costs) == costs[rank[place]]:
            return False
        best = costs.index(min(costs))
        column[:] = [*others[:best], place, *others[best:]]
        rank.update({each: index for index, each in enumerate(column)})
        return True

    def _crossing(self, above: Place, below: Place, rank: Mapping[Place, int]) -> int:
        """How many lines of the two cross where the one is above the other."""
        return sum(
            (rank[one], its) > (rank[other], others)
            for side in (self.left, self.right)
            for _, (one, its) in side.get(above, ())
            for _, (other, others) in side.get(below, ())
        )


def columns_of(names: Sequence[str], lines: Iterable[Line]) -> Columns:
    """Put boxes into columns: each right of what it refers to, and lanes where lines pass one.

    In a column they are in the order of the names, the lanes below them.
    """
    between = [line for line in lines if line.parent != line.child]
    ranks = _ranks(sorted(names), between)
    found = Columns([[] for _ in range(max(ranks.values(), default=-1) + 1)])
    for name in names:
        found.columns[ranks[name]].append(name)
    for line in between:
        start, end = (line.parent, line.leaves), (line.child, line.arrives)
        first, last = sorted([start, end], key=lambda each: ranks[each[0]])
        passed = range(ranks[first[0]] + 1, ranks[last[0]])
        for rank in passed:
            found.columns[rank].append((line, rank))
        lanes: list[End] = [((line, rank), LANE / 2) for rank in passed]
        for one, other in pairwise([first, *lanes, last]):
            found.tie(one, other)
    return found


def _ranks(names: Sequence[str], lines: Sequence[Line]) -> dict[str, int]:
    """The column of each box; where references go in a circle, one of them leads back."""
    parents = {name: {line.parent for line in lines if line.child == name} for name in names}
    above: list[str] = []

    @cache
    def rank(name: str) -> int:
        above.append(name)
        found = max((rank(each) + 1 for each in parents[name] if each not in above), default=0)
        above.pop()
        return found

    ranks = {name: rank(name) for name in names}
    # What refers to nothing could stand anywhere left of what refers to it: it stands beside that.
    for name in names:
        referring = [ranks[line.child] for line in lines if line.parent == name]
        if referring and not parents[name]:
            ranks[name] = min(referring) - 1
    return ranks
