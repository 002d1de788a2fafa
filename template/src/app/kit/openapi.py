"""The document of the API: what it says of its tags, and a copy of it in the repository.

Clients are generated from the copy, and a change of the API shows in its review.
"""

import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.kit.settings import KitSettings

COPY = Path("docs/openapi.json")


def descriptions_of_tags(app: FastAPI) -> list[dict[str, Any]]:
    """Each tag in the order of the routes, described by the modules that its endpoints are in."""
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


def text_of_document(app: FastAPI) -> str:
    """The document as its copy is kept: the same application gives the same text."""
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def exporting(
    settings: type[KitSettings], create_app: Callable[[Any], FastAPI]
) -> Callable[[Path, bool], None]:
    """The command that writes the copy, for the service that has these settings."""

    def openapi(
        place: Annotated[Path, typer.Argument(help="Where to; - prints it")] = COPY,
        check: Annotated[
            bool, typer.Option("--check", help="Write nothing; end with 1 unless it is current")
        ] = False,
    ) -> None:
        """Write the OpenAPI document, from which clients are generated."""
        # No database is asked, so none has to be configured.
        database = {"url": "postgresql://nowhere/none"}
        text = text_of_document(create_app(settings.load(database=database)))
        if place == Path("-"):
            sys.stdout.write(text)
        elif not check:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            typer.echo(f"{place} is written")
        elif not place.is_file() or place.read_text(encoding="utf-8") != text:
            typer.echo(f"{place} is not current: write it anew with `openapi {place}`", err=True)
            raise typer.Exit(1)

    return openapi
