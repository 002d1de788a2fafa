"""How Python looks for what nobody refers to any more.

It looks at the same long-lived objects over and over: at all that was imported, at every request
that waits. With very many at once, that is a quarter of the time of a small request.
"""

import gc

# New objects before it looks again: a few requests' worth, where Python's own number is a part of
# one. What is left behind in the meantime takes some megabytes at most.
OBJECTS_BETWEEN = 10_000


def spare_what_stays() -> None:
    """Leave what is there now alone for good, for a process that has started and is to serve."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN, 20, 20)
