"""Whatever the API's document allows or forbids: no bug, and no answer that it does not tell of.

A deeper search, of fifty times as many requests: `pytest --hypothesis-profile=deep`.
"""

# Schemathesis does not say what its cases are made of.
# pyright: reportUnknownVariableType=false

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from httpx2 import InvalidURL, Response
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import URL, QueuePool

from app.example.catalog.models import ProductStatus
from app.example.orders.models import Order, OrderLine
from app.kit.application import Application
from app.kit.db.session import Database
from app.main import create_app
from app.registry import ROUTERS
from tests.example.catalog_factories import make_product
from tests.example.factories import make_post, make_tag
from tests.rig.app import client_of, running
from tests.rig.database import clone, settings_for, settings_with
from tests.rig.line import ONLOOKER, Break, Line, line_to

pytestmark = pytest.mark.slow

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = settings().max_examples // 25
# More messages than most requests send to the database.
MESSAGES = 9
# Longer than any text that Hypothesis makes.
LONGEST = 10_000


def operations() -> dict[str, Any]:
    """Every endpoint of the service, by method and path."""
    application = Application()
    for router in ROUTERS:
        application.include_router(router)
    document: Any = openapi.from_dict(shortened(application.openapi()))
    found = [operation.ok() for operation in document.get_all_operations()]
    return {operation.label: operation for operation in found}


def shortened(part: Any) -> Any:
    """The document with less room for text: Schemathesis takes seconds to allow for much."""
    match part:
        case list():
            return [shortened(each) for each in part]
        case {"maxLength": int(length), **others}:
            return {**shortened(others), "maxLength": min(length, LONGEST)}
        case dict():
            return {name: shortened(each) for name, each in part.items()}
        case _:
            return part


OPERATIONS = operations()
# What takes nothing cannot be asked for wrongly.
FORBIDDEN = [
    name for name, each in OPERATIONS.items() if each.body or each.query or each.path_parameters
]
TRIED = [*product(OPERATIONS, ["positive"]), *product(FORBIDDEN, ["negative"])]


@dataclass(frozen=True)
class Service:
    """The service in a thread of its own: Hypothesis waits for each example in turn."""

    portal: BlockingPortal
    app: FastAPI

    def answer(self, request: dict[str, Any]) -> Response:
        """What the service answers to a request."""
        return self.portal.call(partial(client_of(self.app).request, **request))


@pytest.fixture(scope="module")
def service(template: URL) -> Generator[Service]:
    """The service on a database of its own, where requests really commit."""
    with clone(template) as url, start_blocking_portal() as portal:
        app = running(create_app(settings_for(url)))
        with portal.wrap_async_context_manager(app) as started:
            yield Service(portal, started)


async def rows_in(database: Database) -> dict[str, Any]:
    """Make a row of each kind; their keys, by the name of the parameter that finds each."""
    async with database.sessions() as session:
        post = await make_post(session, tags=[await make_tag(session)])
        product = await make_product(session, status=ProductStatus.ACTIVE)
        line = OrderLine(product_id=product.id, sku="A", name="A", quantity=1, unit_price_cents=1)
        order = Order(user_id=post.author_id, lines=[line])
        session.add(order)
        await session.commit()
        return {
            "user_id": post.author_id,
            "post_id": post.id,
            "tag_id": post.tags[0].id,
            "product_id": product.id,
            "category_id": product.category_id,
            "order_id": order.id,
            "sku": product.sku,
            "slug": product.slug,
        }


@pytest.fixture
def keys(service: Service) -> dict[str, Any]:
    """A row of each kind, by the name of the parameter that finds it."""

    return service.portal.call(rows_in, service.app.state.database)


@dataclass(frozen=True)
class Breaking(Service):
    """The service on a line that can be broken, and the database without it."""

    line: Line
    apart: Database


@pytest.fixture(scope="module")
def breaking(unpooled_template: URL) -> Generator[Breaking]:
    """The service on a database of its own."""
    with (
        clone(unpooled_template) as url,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(line_to(url)) as line,
    ):
        settings = settings_with(line.url, pooler="none", pool_size=2, max_overflow=0)
        apart = Database.open(settings_with(url, pooler="none").database, ONLOOKER)
        with portal.wrap_async_context_manager(running(create_app(settings))) as app:
            yield Breaking(portal, app, line, apart)
        portal.call(apart.close)


def asked(case: Any, keys: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """The request of a case, every other one for a row that is there: a random key finds none."""
    for name in case.path_parameters.keys() & keys.keys():
        if data.draw(st.booleans()):
            case.path_parameters[name] = str(keys[name])
    request: dict[str, Any] = case.as_transport_kwargs(base_url="http://test")
    # The service reads no cookies; a body in bytes has another name for this client.
    del request["cookies"]
    if "data" in request:
        request["content"] = request.pop("data")
    return request


@pytest.mark.parametrize(("endpoint", "mode"), TRIED)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_every_request_has_an_answer_that_the_document_tells_of(
    endpoint: str, mode: str, data: st.DataObject, service: Service, keys: dict[str, Any]
) -> None:
    case = data.draw(OPERATIONS[endpoint].as_strategy(generation_mode=GenerationMode(mode)))
    request = asked(case, keys, data)
    try:
        answer = service.answer(request)
    except InvalidURL:
        # This client sends no URL beyond 64 KiB, so the service never hears of it.
        reject()
    case.validate_response(answer, checks=CHECKS)


@pytest.mark.parametrize("endpoint", OPERATIONS)
@settings(
    max_examples=max(2, EXAMPLES // 2),
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), message=st.integers(1, MESSAGES), how=st.sampled_from(Break))
def test_so_it_is_when_the_line_to_the_database_breaks(
    endpoint: str, data: st.DataObject, message: int, how: Break, breaking: Breaking
) -> None:
    keys = breaking.portal.call(rows_in, breaking.apart)
    case = data.draw(OPERATIONS[endpoint].as_strategy(generation_mode=GenerationMode.POSITIVE))
    request = asked(case, keys, data)
    breaking.line.break_at(message, how)
    try:
        answer = breaking.answer(request)
    except InvalidURL:
        reject()
    finally:
        breaking.line.break_at(0, how)
    # One that says to come again is no bug; any other of 500 and above is.
    away = answer.status_code == 503
    case.validate_response(answer, checks=CHECKS[away:])
    database: Database = breaking.app.state.database
    for engine in (database.engine, database.reading_engine):
        assert isinstance(engine.pool, QueuePool)
        assert engine.pool.checkedout() == 0
