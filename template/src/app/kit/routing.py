"""Routers that are passed over at a glance where a path is not theirs."""

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope


class FeatureRouter(APIRouter):
    """An APIRouter with a prefix: FastAPI would compare each of its paths with each request."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a route of it has this path; only asked where the path has the prefix in it."""
        # It may be included below another prefix, and have parameters in its own.
        fixed, _, _ = self.prefix.partition("{")
        if fixed not in scope["path"]:
            return Match.NONE, {}
        return super().matches(scope)
