"""Where in a JSON body a field is that the database has rejected, named as in a 422."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

# More than a batch has rows.
_MAX_PATHS = 2000

Path = tuple[str, ...]


def field_path(body: Any, name: str, value: str | None = None) -> str:
    """Return the path of the field with this name, or of the list that has it in several items.

    `value` is the rejected value as PostgreSQL writes it: it tells the item. A field that the
    client did not send has no path, and is returned as it is.
    """
    found = dict(islice(_paths(body, name), _MAX_PATHS))
    if not found:
        return name
    # Of items with the same value, each but the first is wrong.
    paths = [path for path, sent in found.items() if str(sent) == value][-1:] or list(found)
    if (name,) in paths:
        return f"body.{name}"
    first, last = min(paths), max(paths)
    if first == last:
        return ".".join(("body", *first))
    common = next(
        i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other
    )
    return ".".join(("body", *first[:common]))


def _paths(value: Any, name: str, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        items: Iterator[tuple[object, object]] = iter(cast("dict[object, object]", value).items())
    elif isinstance(value, list):
        items = iter(enumerate(cast("list[object]", value)))
    else:
        return
    for key, item in items:
        if isinstance(key, str) and _plain(key) == _plain(name):
            yield (*path, key), item
        else:
            yield from _paths(item, name, (*path, str(key)))


def _plain(name: str) -> str:
    """Compare `priceCents`, an alias, and `price_cents` as the same name."""
    return name.replace("_", "").lower()
