"""Which resource a request is for: the paths that in most cases use the same table."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

_READING = frozenset({"GET", "HEAD"})
_PARAMETER = "*"
# Marks a part of the tree below which all paths are one resource; no part of a path is empty.
_COLLECTION = ""

Tree = dict[str, Any]


class Resources:
    """The resources of an application, by the paths of its routes.

    `/posts`, `/posts/feed` and `/posts/{post_id}/tags` are one. What a client writes in place of a
    parameter never leads to another resource.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self.routes = routes

    def name_of(self, path: str) -> str:
        """Return the resource of a path; empty if no route has its first part."""
        names: list[str] = []
        tree = self._tree
        for part in path.split("/"):
            name = part if part in tree else _PARAMETER
            if not part:
                continue
            if name not in tree:
                break
            tree = tree[name]
            names.append(name)
            if _COLLECTION in tree:
                break
        return "/".join(names)

    @cached_property
    def _tree(self) -> Tree:
        # All routes: they are complete with the first request.
        tree: Tree = {}
        for route in iter_route_contexts(self.routes):
            node, is_named, is_collection = tree, False, not (route.methods or set()) <= _READING
            for part in filter(None, (route.path or "").split("/")):
                is_parameter = "{" in part
                if is_parameter and is_named:
                    is_collection = True
                    break
                is_named = is_named or not is_parameter
                node = node.setdefault(_PARAMETER if is_parameter else part, {})
            if is_named and (is_collection or not route.methods):
                node[_COLLECTION] = True
        return tree
