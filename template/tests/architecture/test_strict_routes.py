"""Every route validates its input like `StrictRoute`: a datetime without UTC offset is invalid."""

import inspect
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args, get_type_hints

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts
from starlette.routing import Mount

from app.kit.http.routing import StrictRoute


def lenient_routes(app: FastAPI) -> list[str]:
    """Return a message for each route that the application cannot make strict."""
    found: list[str] = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and not isinstance(route, StrictRoute):
            found.append(
                f"{context.path}: derive {type(route).__name__} from StrictRoute of"
                " app.kit.http.routing, or mount an Application in place of FastAPI"
            )
        elif isinstance(route, APIWebSocketRoute):
            found += [
                f"{context.path}: declare {name} as `UtcDatetime` of"
                " app.kit.http.schemas, not as datetime"
                for name in plain_datetimes(context.dependant)
            ]
        elif isinstance(route, Mount) and isinstance(route.app, FastAPI):
            found += [f"{route.path}{message}" for message in lenient_routes(route.app)]
    return found


def plain_datetimes(dependant: Dependant) -> Iterator[str]:
    """Yield the parameters of an endpoint and its dependencies that accept naive datetimes."""
    if dependant.call is not None:
        for name, hint in get_type_hints(dependant.call, include_extras=True).items():
            if name != "return" and contains_datetime(hint):
                yield name
    for part in dependant.dependencies:
        yield from plain_datetimes(part)


def contains_datetime(hint: Any) -> bool:
    """Whether a type is `datetime`, or has it as a type argument."""
    return hint is datetime or any(map(contains_datetime, get_args(hint)))


def find_differences(field: Any) -> list[str]:
    """Return the attributes that the kit uses and this parameter lacks or declares otherwise."""
    names = ("validate", "_type_adapter", "field_info", "name", "alias")
    if missing := [name for name in names if not hasattr(field, name)]:
        return missing
    parameters = list(inspect.signature(field.validate).parameters)
    return [] if parameters == ["value", "values", "loc"] else [f"validate({parameters})"]


def test_every_route_is_strict(app: FastAPI) -> None:
    assert lenient_routes(app) == []


def test_fastapi_version_has_the_internals_that_the_kit_replaces() -> None:
    async def endpoint(number: int) -> None:
        """Accept a number."""

    (parameter,) = APIRoute("/", endpoint).dependant.query_params
    differences = find_differences(parameter)

    assert not differences, (
        "app.kit.http is incompatible with this version of FastAPI: ModelField differs in"
        f" {', '.join(differences)}. Install the previous version of FastAPI from uv.lock, and"
        " update the template"
    )
