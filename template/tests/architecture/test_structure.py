"""The rules about tables, routes and features that only the assembled service can tell."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, RouteContext, iter_route_contexts
from sqlalchemy import Index, MetaData, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import MANYTOONE, registry
from starlette.responses import StreamingResponse
from starlette.routing import Mount

from app.kit.db.base import Base
from app.kit.db.migration_order import circular_keys
from app.kit.db.names import long_names
from app.kit.db.session import reading_session, request_session

SOURCE = Path(__file__).parents[2] / "src"
INDEXED = (Index, PrimaryKeyConstraint, UniqueConstraint)
SESSIONS = {request_session, reading_session}


def foreign_keys_without_index(metadata: MetaData) -> list[str]:
    """Foreign keys whose columns begin no index: a delete of their target scans the table."""
    found: list[str] = []
    for table in metadata.sorted_tables:
        indexed = [
            list(each.columns)
            for each in (*table.indexes, *table.constraints)
            if isinstance(each, INDEXED)
        ]
        for key in table.foreign_key_constraints:
            columns = set(key.columns)
            if not any(set(index[: len(columns)]) == columns for index in indexed):
                found.append(", ".join(map(str, key.columns)))
    return found


def foreign_keys_without_rule(metadata: MetaData) -> list[str]:
    """Foreign keys that do not say what becomes of them when their target is deleted."""
    keys = [key for table in metadata.sorted_tables for key in table.foreign_keys]
    return [str(key.parent) for key in keys if key.ondelete is None]


def cascades_row_by_row(mapped: registry) -> list[str]:
    """Relations that delete along without leaving it to the database."""
    relations = dict.fromkeys(item for each in mapped.mappers for item in each.relationships)
    return [
        str(item)
        for item in relations
        # The database cannot cascade to what a row itself refers to.
        if item.direction is not MANYTOONE and item.cascade.delete and not item.passive_deletes
    ]


def subclass_rows_that_stay(mapped: registry) -> list[str]:
    """Foreign keys of joined subclasses to their base that do not delete along with it."""
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


def makes_a_session(call: Any) -> bool:
    """Whether a dependency hands out a session: the kit's, or one that a team wrote."""
    yields = inspect.isasyncgenfunction(call) or inspect.isgeneratorfunction(call)
    return call in SESSIONS or (
        yields and AsyncSession.__name__ in str(inspect.signature(call).return_annotation)
    )


def sessions_of(route: RouteContext) -> list[tuple[Any, str | None]]:
    """The sessions that a route depends on, each with its scope."""

    def within(dependant: Dependant) -> Iterator[tuple[Any, str | None]]:
        if makes_a_session(dependant.call):
            yield dependant.call, dependant.scope
        for part in dependant.dependencies:
            yield from within(part)

    return list(dict.fromkeys(within(route.dependant)))


def goes_on_after_the_endpoint(route: RouteContext) -> bool:
    """Whether a route sends its answer bit by bit, or talks as long as the client likes."""
    endpoint: Any = route.endpoint
    if isinstance(route.original_route, APIWebSocketRoute):
        return True
    if inspect.isasyncgenfunction(endpoint) or inspect.isgeneratorfunction(endpoint):
        return True
    code = getattr(endpoint, "__code__", None)
    named = [endpoint.__globals__.get(name) for name in code.co_names] if code else []
    declared = getattr(route.response_class, "value", route.response_class)
    said = [declared, inspect.signature(endpoint).return_annotation, *named]
    return any(isinstance(each, type) and issubclass(each, StreamingResponse) for each in said)


def unbounded_lists(document: dict[str, Any]) -> list[str]:
    """GET endpoints that answer with a bare list, of a length that no parameter bounds."""
    found: list[str] = []
    for path, item in document["paths"].items():
        operation = item.get("get", {})
        content = operation.get("responses", {}).get("200", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        bounds = ["maximum" in each["schema"] for each in operation.get("parameters", [])]
        if schema.get("type") == "array" and not any(bounds):
            found.append(f"GET {path}")
    return found


def name_of(path: Path) -> str:
    """The module that is in a file."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def routers_of(package: str) -> list[APIRouter]:
    """The routers that a package defines in modules of its features."""
    found: list[APIRouter] = []
    for path in sorted((SOURCE / "app" / package).rglob("*.py")):
        if "APIRouter(" in path.read_text():
            module = importlib.import_module(name_of(path))
            found += [value for value in vars(module).values() if isinstance(value, APIRouter)]
    return found


def test_every_foreign_key_has_an_index() -> None:
    assert not foreign_keys_without_index(Base.metadata), "give each `index=True`, or an Index"


def test_every_name_fits_into_postgresql() -> None:
    assert not long_names(Base.metadata), "\n".join(long_names(Base.metadata))


def test_tables_can_be_created_one_after_the_other() -> None:
    assert not circular_keys(Base.metadata), "\n".join(circular_keys(Base.metadata))


def test_every_foreign_key_says_what_a_deletion_does() -> None:
    assert not foreign_keys_without_rule(Base.metadata), "add `ondelete=`: CASCADE or RESTRICT"


def test_what_goes_with_its_owner_is_left_to_the_database() -> None:
    assert not cascades_row_by_row(Base.registry), "pair `cascade` with `passive_deletes=True`"


def test_rows_of_joined_subclasses_are_deleted_with_their_base() -> None:
    assert not subclass_rows_that_stay(Base.registry), 'add `ondelete="CASCADE"`'


def routes_of(router: FastAPI | APIRouter) -> list[RouteContext]:
    """The routes of a router and of all that it includes, with what each inclusion adds."""
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
    """The functions behind the routes."""
    return {route.endpoint for route in routes_of(router)}


def test_every_feature_is_registered(app: FastAPI) -> None:
    assert endpoints_of(app)
    for package in ("example", "features"):
        for router in routers_of(package):
            missing = endpoints_of(router) - endpoints_of(app)
            assert not missing, "add the router to ROUTERS in app/registry.py"


def test_a_request_has_one_session_that_ends_before_the_answer(app: FastAPI) -> None:
    for route in routes_of(app):
        sessions = sessions_of(route)
        assert len({call for call, _ in sessions}) <= 1, (
            f"{route.path} has two sessions, that is two transactions: choose `SessionDep` or "
            "`ReadSessionDep`, and repositories with or without `read_only` to match"
        )
        assert {scope for _, scope in sessions} <= {"function"}, (
            f"{route.path} ends its transaction after the answer: use the alias as it is"
        )


def test_what_is_sent_bit_by_bit_is_read_over_a_session_of_its_own(app: FastAPI) -> None:
    for route in routes_of(app):
        assert not (goes_on_after_the_endpoint(route) and sessions_of(route)), (
            f"{route.path} goes on when the transaction of the request has ended: take "
            "`ReadDatabaseDep` or `DatabaseDep` and open a session there, as app.kit.stream does"
        )


def test_every_list_has_an_end(app: FastAPI) -> None:
    assert not unbounded_lists(app.openapi()), "answer a `Page`, or bound it with a parameter"
