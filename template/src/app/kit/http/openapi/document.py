"""The OpenAPI schema: descriptions of its tags, and a copy in the repository.

Clients are generated from the copy. Reviewers see each change of the API as a diff of it.
"""

import inspect
import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

OPENAPI_FILE = Path("docs/openapi.json")


def tag_descriptions(app: FastAPI) -> list[dict[str, Any]]:
    """Return the tags in the order of the routes, described by the modules of their endpoints."""
    described: dict[str, dict[str, None]] = {}
    for route in iter_route_contexts(app.routes):
        module = inspect.getmodule(route.endpoint)
        paragraph, _, _ = (inspect.getdoc(module) or "").partition("\n\n")
        for tag in getattr(route, "tags", None) or ():
            described.setdefault(str(tag), {})[paragraph.replace("\n", " ")] = None
    return [
        {"name": tag, "description": " ".join(filter(None, paragraphs))}
        for tag, paragraphs in described.items()
    ]


def render_openapi(app: FastAPI) -> str:
    """Return the schema as JSON. The same application always gives the same text."""
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"
