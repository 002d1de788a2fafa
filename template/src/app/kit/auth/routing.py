"""Routers whose writes need a scope."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.params import Depends

from app.kit.auth.caller import requires

_READING = frozenset({"GET", "HEAD"})


class ScopedAPIRouter(APIRouter):
    """A router whose POST, PUT, PATCH and DELETE endpoints need the scope `writes`.

    Reads need a token, but no scope. `dependencies=[requires(…)]` of an endpoint adds scopes.
    """

    def __init__(self, *, writes: str, **options: Any) -> None:
        super().__init__(**options)
        self.writes = writes

    def add_api_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: set[str] | list[str] | None = None,
        dependencies: Sequence[Depends] | None = None,
        **options: Any,
    ) -> None:
        """Add an endpoint; a write gets the scope of the router."""
        added = () if _READING.issuperset(methods or _READING) else (requires(self.writes),)
        super().add_api_route(
            path,
            endpoint,
            methods=methods,
            dependencies=[*added, *(dependencies or ())],
            **options,
        )
