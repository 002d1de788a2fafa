"""Architecture rules on tables, routes and features, checked on the assembled service."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, RouteContext, iter_route_contexts
from sqlalchemy import Column, Index, MetaData, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import MANYTOONE, registry
from starlette.responses import StreamingResponse
from starlette.routing import Mount

from app.kit.db.base import Base
from app.kit.http.dependencies import get_read_session, get_session
from app.kit.migrations.autogenerate.model_checks import find_foreign_key_cycles, long_names
from app.kit.writes.idempotency import IdempotentRequest

SOURCE = Path(__file__).parents[2] / "src"
# PostgreSQL creates an index for each of these.
INDEXED = (Index, PrimaryKeyConstraint, UniqueConstraint)
SESSIONS = {get_session, get_read_session}


def foreign_keys_without_index(metadata: MetaData) -> list[str]:
    """Return foreign keys without an index, so that deleting their target scans the table."""
    return [
        ", ".join(map(str, key.columns))
        for table in metadata.sorted_tables
        for key in table.foreign_key_constraints
        if not any(serves(each, {*key.columns}) for each in (*table.indexes, *table.constraints))
    ]


def serves(index: Any, columns: set[Column[Any]]) -> bool:
    """Whether ON DELETE finds the rows with a value in these columns by an index or constraint."""
    # PostgreSQL uses a partial index only if it contains all of these rows.
    where = str(index.dialect_options["postgresql"].get("where")).casefold().strip("()")
    all_rows = {"none", *(f"{column.name} is not null".casefold() for column in columns)}
    parts = index.expressions if isinstance(index, Index) else index.columns
    # The column of `author_id DESC` is its element. `lower(code)` does not index the column `code`.
    leading = {getattr(part, "element", part) for part in [*parts][: len(columns)]}
    covers = isinstance(index, INDEXED) and leading == columns
    return covers and where.rpartition(".")[2] in all_rows


def foreign_keys_without_rule(metadata: MetaData) -> list[str]:
    """Return foreign keys without ON DELETE."""
    keys = [key for table in metadata.sorted_tables for key in table.foreign_keys]
    return [str(key.parent) for key in keys if key.ondelete is None]


def cascades_row_by_row(mapped: registry) -> list[str]:
    """Return relationships that delete rows one by one instead of in the database."""
    relationships = dict.fromkeys(item for each in mapped.mappers for item in each.relationships)
    return [
        str(item)
        for item in relationships
        # The database cannot cascade a delete to the target of a foreign key.
        if item.direction is not MANYTOONE and item.cascade.delete and not item.passive_deletes
    ]


def subclass_keys_without_cascade(mapped: registry) -> list[str]:
    """Return foreign keys from joined subclasses to their base class without ON DELETE CASCADE."""
    found: list[str] = []
    for mapper in mapped.mappers:
        table: Any = mapper.local_table
        base: Any = mapper.inherits and mapper.inherits.local_table
        keys = table.foreign_key_constraints if base is not None and base is not table else ()
        for key in keys:
            is_primary = set(key.columns) == set(table.primary_key)
            if key.referred_table is base and is_primary and key.ondelete != "CASCADE":
                found.append(", ".join(map(str, key.columns)))
    return found


def provides_session(call: Any) -> bool:
    """Whether a dependency of the kit or of the team provides a session."""
    yields = inspect.isasyncgenfunction(call) or inspect.isgeneratorfunction(call)
    return call in SESSIONS or (
        yields and AsyncSession.__name__ in str(inspect.signature(call).return_annotation)
    )


def dependencies_of(dependant: Dependant) -> Iterator[Dependant]:
    """Yield a dependant and all its dependencies."""
    yield dependant
    for part in dependant.dependencies:
        yield from dependencies_of(part)


def sessions_of(route: RouteContext) -> list[tuple[Any, str | None]]:
    """Return the sessions that a route depends on, with their scopes."""
    parts = [each for each in dependencies_of(route.dependant) if provides_session(each.call)]
    return list(dict.fromkeys((each.call, each.scope) for each in parts))


def is_idempotent(route: RouteContext) -> bool:
    """Whether a route accepts an idempotency key, whose work runs in a separate transaction."""
    calls = [each.call for each in dependencies_of(route.dependant) if each.call]
    return any(inspect.signature(call).return_annotation is IdempotentRequest for call in calls)


def is_streaming(route: RouteContext) -> bool:
    """Whether a route streams its response, or is a WebSocket."""
    endpoint: Any = route.endpoint
    if isinstance(route.original_route, APIWebSocketRoute):
        return True
    if inspect.isasyncgenfunction(endpoint) or inspect.isgeneratorfunction(endpoint):
        return True
    # Without an annotation, an endpoint that returns a stream uses a global of that class.
    code = getattr(endpoint, "__code__", None)
    globals_used = [endpoint.__globals__.get(name) for name in code.co_names] if code else []
    declared = getattr(route.response_class, "value", route.response_class)
    annotated = [declared, inspect.signature(endpoint).return_annotation, *globals_used]
    return any(isinstance(each, type) and issubclass(each, StreamingResponse) for each in annotated)


def unbounded_lists(document: dict[str, Any]) -> list[str]:
    """Return GET endpoints whose response is a list without a limit."""
    found: list[str] = []
    for path, item in document["paths"].items():
        operation = item.get("get", {})
        content = operation.get("responses", {}).get("200", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        bounds = ["maximum" in each["schema"] for each in operation.get("parameters", [])]
        if schema.get("type") == "array" and not any(bounds):
            found.append(f"GET {path}")
    return found


def routers_of(package: str) -> list[APIRouter]:
    """Return the routers that the modules of a package define."""
    found: list[APIRouter] = []
    for path in sorted((SOURCE / "app" / package).rglob("*.py")):
        if "APIRouter(" in path.read_text():
            name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
            module = importlib.import_module(name)
            found += [value for value in vars(module).values() if isinstance(value, APIRouter)]
    return found


def test_every_foreign_key_has_an_index() -> None:
    assert not foreign_keys_without_index(Base.metadata), "add an Index without a condition"


def test_names_fit_into_postgresql() -> None:
    assert not long_names(Base.metadata), "\n".join(long_names(Base.metadata))


def test_tables_can_be_created_in_order() -> None:
    cycles = find_foreign_key_cycles(Base.metadata)
    assert not cycles, "\n".join(cycles)


def test_every_foreign_key_has_on_delete() -> None:
    assert not foreign_keys_without_rule(Base.metadata), "add `ondelete=`: CASCADE or RESTRICT"


def test_cascades_are_left_to_the_database() -> None:
    assert not cascades_row_by_row(Base.registry), "pair `cascade` with `passive_deletes=True`"


def test_rows_of_joined_subclasses_are_deleted_with_their_base() -> None:
    assert not subclass_keys_without_cascade(Base.registry), 'add `ondelete="CASCADE"`'


def routes_of(router: FastAPI | APIRouter) -> list[RouteContext]:
    """Return the routes of a router and of the routers that it includes."""
    found: list[RouteContext] = []
    for context in iter_route_contexts(router.routes):
        match context.original_route:
            case APIRoute() | APIWebSocketRoute():
                found.append(context)
            case Mount(app=FastAPI() as mounted):
                found += routes_of(mounted)
            case _:
                pass
    return found


def endpoints_of(router: FastAPI | APIRouter) -> set[Any]:
    """Return the endpoint functions of a router."""
    return {route.endpoint for route in routes_of(router)}


def test_every_router_is_registered(app: FastAPI) -> None:
    assert endpoints_of(app)
    for package in ("example", "features"):
        for router in routers_of(package):
            missing = endpoints_of(router) - endpoints_of(app)
            assert not missing, "add the router to ROUTERS in app/registry.py"


def test_request_has_one_session_that_commits_before_the_response(app: FastAPI) -> None:
    for route in routes_of(app):
        sessions = sessions_of(route)
        assert len({call for call, _ in sessions}) <= 1, (
            f"{route.path} has two sessions, and so two transactions: use either `SessionDep` or "
            "`ReadSessionDep`"
        )
        assert {scope for _, scope in sessions} <= {"function"}, (
            f"{route.path} commits after the response: use the alias without a scope of your own"
        )


def test_idempotent_request_uses_one_connection(app: FastAPI) -> None:
    for route in routes_of(app):
        assert not (is_idempotent(route) and sessions_of(route)), (
            f"{route.path} holds the connection of its session while `idempotency.run` waits for "
            "another, so that requests can deadlock: use the session that `run` passes, and "
            "`DatabaseDep` in the dependencies of the endpoint"
        )


def test_streaming_endpoint_opens_its_own_session(app: FastAPI) -> None:
    for route in routes_of(app):
        assert not (is_streaming(route) and sessions_of(route)), (
            f"{route.path} continues after the request's transaction has ended: use "
            "`DatabaseDep` and open a session, see app.kit.http.streaming"
        )


def test_every_list_is_limited(app: FastAPI) -> None:
    assert not unbounded_lists(app.openapi()), "return a `Page`, or limit it with a parameter"
