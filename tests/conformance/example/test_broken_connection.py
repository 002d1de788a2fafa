"""Send generated requests to every endpoint while the database connection breaks.

For more examples: `--hypothesis-profile=deep`.
"""

from collections.abc import Generator
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, QueuePool

from app.example.catalog.models import ProductStatus
from app.example.orders.models import Order, OrderLine
from app.kit.db.session import Database
from tests.conformance.support.tcp_proxy import OBSERVER, Break, TcpProxy, tcp_proxy
from tests.example.catalog_factories import make_product
from tests.example.factories import make_post, make_tag
from tests.support.database import clone, settings_with
from tests.support.fuzz import FuzzedService, fuzz_settings, operations

# Exceeds the number of messages that most requests send to the database.
MESSAGES = 9


async def make_rows(database: Database) -> dict[str, Any]:
    """Create a row of each model, and return path parameters that find them."""
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


@pytest.fixture(scope="module")
def service_behind_proxy(
    unpooled_template: URL,
) -> Generator[tuple[FuzzedService, TcpProxy, Database]]:
    """The service behind a proxy that breaks connections, and its database without the proxy."""
    with (
        clone(unpooled_template) as url,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(tcp_proxy(url)) as proxy,
    ):
        settings = settings_with(proxy.url, pooler="none", pool_size=2, max_overflow=0)
        direct = Database.open(settings_with(url, pooler="none").database, OBSERVER)
        with FuzzedService.start(settings) as service:
            yield service, proxy, direct
            # Close it on the event loop that opened its connections.
            service.portal.call(direct.close)


@pytest.mark.parametrize("endpoint", operations())
@fuzz_settings(settings().max_examples // 50)
@given(data=st.data(), message=st.integers(1, MESSAGES), how=st.sampled_from(Break))
def test_broken_database_connection_returns_at_most_503(
    endpoint: str,
    data: st.DataObject,
    message: int,
    how: Break,
    service_behind_proxy: tuple[FuzzedService, TcpProxy, Database],
) -> None:
    service, connection, direct = service_behind_proxy
    rows = service.portal.call(make_rows, direct)
    service.known.update({name: [str(key)] for name, key in rows.items()})
    connection.break_at(message, how)
    try:
        service.check(endpoint, "positive", data, may_be_503=True)
    finally:
        connection.break_at(0, how)
    database: Database = service.app.state.database
    for engine in (database.engine, database.read_engine):
        assert isinstance(engine.pool, QueuePool)
        assert engine.pool.checkedout() == 0
