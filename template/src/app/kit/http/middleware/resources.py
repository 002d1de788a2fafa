"""Groups of paths that usually read the same table, called resources."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

_READING = frozenset({"GET", "HEAD"})
_PARAMETER = "*"


@dataclass(slots=True)
class _Part:
    """A path segment, and the segments that may follow it."""

    name: str = ""
    following: "dict[str, _Part]" = field(default_factory=dict[str, "_Part"])
    # Whether all longer paths belong to the same resource.
    is_collection: bool = False


class Resources:
    """The resources of an application, by the paths of its routes.

    `/posts`, `/posts/feed` and `/posts/{post_id}/tags` are one resource. The value of a path
    parameter never selects another resource.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self.routes = routes

    def name_of(self, path: str) -> str:
        """Return the resource of a path, or an empty string if no route has its first segment."""
        place = self._root
        for part in path.split("/"):
            if part:
                following = place.following
                found = following.get(part) or following.get(_PARAMETER)
                if found is None:
                    break
                place = found
                if place.is_collection:
                    break
        return place.name

    @cached_property
    def _root(self) -> _Part:
        # Built at the first request, because routes may be added until then.
        root = _Part()
        for route in iter_route_contexts(self.routes):
            place, is_named, is_collection = root, False, not (route.methods or set()) <= _READING
            for part in filter(None, (route.path or "").split("/")):
                is_parameter = "{" in part
                if is_parameter and is_named:
                    is_collection = True
                    break
                is_named = is_named or not is_parameter
                name = _PARAMETER if is_parameter else part
                place = place.following.setdefault(name, _Part(f"{place.name}/{name}"))
            if is_named and (is_collection or not route.methods):
                place.is_collection = True
        return root
