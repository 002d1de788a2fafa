"""FastAPI, with the kit's errors, request ids and OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from app.kit.errors import PROBLEM_MEDIA_TYPE, ProblemDocument, problems
from app.kit.handlers import add_handlers
from app.kit.request_id import RequestIdMiddleware

_REFERENCE = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}


class Application(FastAPI):
    """An application that answers every error with a problem document."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            # A client generated from the document calls its methods by these names.
            generate_unique_id_function=lambda route: route.name,
            responses=problems(422, 503),
            **options,
        )
        add_handlers(self)

    def build_middleware_stack(self) -> ASGIApp:
        """Name the request outside everything else, so that the answer to a bug is named too."""
        return RequestIdMiddleware(super().build_middleware_stack())

    def openapi(self) -> dict[str, Any]:
        """Build the document once, with problems under the media type they are sent in."""
        if self.openapi_schema is None:
            for path in super().openapi()["paths"].values():
                for operation in path.values():
                    for response in operation["responses"].values():
                        _retype(response.get("content", {}))
        return super().openapi()


def _retype(content: dict[str, Any]) -> None:
    # FastAPI files every model under the media type of success.
    if content.get("application/json", {}).get("schema") == _REFERENCE:
        content[PROBLEM_MEDIA_TYPE] = content.pop("application/json")
