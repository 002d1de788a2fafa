"""Where in a JSON body a field is that the database has rejected, named as in a 422."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

Path = tuple[str, ...]


def field_path(body: Any, name: str) -> str:
    """Return the path of the field with this name, or of the list that has it in several items."""
    paths = list(islice(_paths(body, name), 100))
    if not paths or (name,) in paths:
        return f"body.{name}"
    first, last = min(paths), max(paths)
    if first == last:
        return ".".join(("body", *first))
    common = next(
        i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other
    )
    return ".".join(("body", *first[:common]))


def _paths(value: Any, name: str, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        items: Iterator[tuple[Any, Any]] = iter(value.items())
    elif isinstance(value, list):
        items = iter(enumerate(value))
    else:
        return
    for key, item in items:
        if isinstance(key, str) and _plain(key) == _plain(name):
            yield (*path, key)
        else:
            yield from _paths(item, name, (*path, str(key)))


def _plain(name: str) -> str:
    """Compare `priceCents`, an alias, and `price_cents` as the same name."""
    return name.replace("_", "").lower()
