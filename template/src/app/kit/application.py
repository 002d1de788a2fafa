"""FastAPI, with the kit's errors, request ids and OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from app.kit.errors import PROBLEM_MEDIA_TYPE, ProblemDocument, problems
from app.kit.handlers import add_handlers
from app.kit.http.admission import AdmissionMiddleware
from app.kit.http.security import secured
from app.kit.http.settings import HttpSettings
from app.kit.metrics import Metrics
from app.kit.request_id import RequestIdMiddleware

_REFERENCE = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}


class Application(FastAPI):
    """An application that answers every error with a problem document.

    It has so many `places`: requests that are at work at the same time.
    """

    def __init__(
        self,
        *,
        http: HttpSettings | None = None,
        places: int = 10,
        metrics: Metrics | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            # A client generated from the document calls its methods by these names.
            generate_unique_id_function=lambda route: route.name,
            responses=problems(422, 503),
            **options,
        )
        add_handlers(self)
        self.http = http or HttpSettings()
        self.places = places
        self.metrics = metrics

    def build_middleware_stack(self) -> ASGIApp:
        """Put around everything else what holds for every request, the innermost first."""
        app = super().build_middleware_stack()
        app = admission = AdmissionMiddleware(app, self.http, self.places)
        if self.metrics:
            self.metrics.watch(admission.gate, self.places)
        # A browser's question whether it may ask, and a stranger, are answered before the line.
        pages = {self.docs_url, self.redoc_url, self.swagger_ui_oauth2_redirect_url}
        app = secured(app, self.http, {page for page in pages if page})
        # Outermost, so that every answer is named and has its line in the log.
        return RequestIdMiddleware(app, self.metrics.request if self.metrics else None)

    def openapi(self) -> dict[str, Any]:
        """Build the document once, with problems under the media type they are sent in."""
        if self.openapi_schema is None:
            for path in super().openapi()["paths"].values():
                for operation in path.values():
                    if "requestBody" in operation:
                        _add_refusals(operation["responses"])
                    for response in operation["responses"].values():
                        _retype(response.get("content", {}))
        return super().openapi()


def _add_refusals(responses: dict[str, Any]) -> None:
    """A body can be too large, or too slow."""
    for status, documented in problems(408, 413).items():
        content = {"application/json": {"schema": _REFERENCE}}
        responses.setdefault(
            str(status), {"description": documented["description"], "content": content}
        )


def _retype(content: dict[str, Any]) -> None:
    # FastAPI files every model under the media type of success.
    if content.get("application/json", {}).get("schema") == _REFERENCE:
        content[PROBLEM_MEDIA_TYPE] = content.pop("application/json")
