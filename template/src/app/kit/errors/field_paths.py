"""Paths of the fields of a request, for database errors. They look like the paths of a 422."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

from starlette.requests import Request

from app.kit.errors.database_errors import REQUIRED
from app.kit.errors.problems import Problem

# More than the rows of a batch.
_MAX_PATHS = 2000

Path = tuple[str, ...]


def locate_errors(request: Request, problem: Problem, value: str | None = None) -> Problem:
    """Replace the column names in errors with the paths of the request's fields."""
    for error in problem.errors:
        name = error.field
        error.field = _request_path(request, name, value)
        if error.field == name and error.message == REQUIRED:
            # The field is missing in the request, so expect it in the body.
            error.field = f"body.{name}"
    return problem


def _request_path(request: Request, name: str, value: str | None) -> str:
    body = request.scope.get("app.body")
    if "." in name or is_part_of_request(body, name, value):
        return name
    if name in request.path_params and not (isinstance(body, dict) and name in body):
        return f"path.{name}"
    if name in request.query_params and body is None:
        return f"query.{name}"
    return name if body is None else field_path(body, name, value)


def field_path(body: Any, name: str, value: str | None = None) -> str:
    """Return the path of the field, or of the list if several items have the field.

    `value` is the rejected value as PostgreSQL prints it. It identifies the item of a list. If the
    body does not contain the field, return its name.
    """
    found = dict(islice(_paths(body, name), _MAX_PATHS))
    if not found:
        return name
    # If items have the same value, the last one is the duplicate.
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


def is_part_of_request(body: Any, name: str, value: str | None) -> bool:
    """Return whether a name is a part of the request, and not the column of a rejected value."""
    if name not in ("body", "query", "path", "header"):
        return False
    return value is None or not any(_paths(body, name))


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
    """Normalize a name, so that the alias `priceCents` equals `price_cents`."""
    return name.replace("_", "").lower()
