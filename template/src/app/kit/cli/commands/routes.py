"""`routes`: the routes of the service."""

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple

import typer
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from app.kit.cli.service import get_service

commands = typer.Typer()


class RouteRow(NamedTuple):
    """One route, and the module of its endpoint."""

    methods: str
    path: str
    name: str
    module: str


@commands.command()
def routes(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """List the routes of the service: methods, path, name and module. Needs no database."""
    found = routes_of(get_service(context).application())
    rows = sorted(found, key=lambda row: (row.path, row.methods))
    if as_json:
        listed = [row._asdict() | {"methods": row.methods.split()} for row in rows]
        typer.echo(json.dumps(listed, indent=2))
        return
    for line in table([("METHODS", "PATH", "NAME", "MODULE"), *rows]):
        typer.echo(line)


def routes_of(router: FastAPI | APIRouter, prefix: str = "") -> Iterator[RouteRow]:
    """Yield the routes of a router, of the routers it includes, and of mounted applications."""
    for route in iter_route_contexts(router.routes):
        path = f"{prefix}{route.path}"
        match route.original_route:
            case Mount(app=FastAPI() as mounted):
                yield from routes_of(mounted, path)
            case other:
                endpoint: Any = route.endpoint
                # A WebSocket has no methods. A GET route of Starlette also has HEAD.
                methods = sorted(route.methods or ()) or [type(other).__name__]
                module = getattr(endpoint, "__module__", "")
                yield RouteRow(" ".join(methods), path, route.name or "", module)


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
