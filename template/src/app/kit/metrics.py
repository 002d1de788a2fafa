"""Metrics of this process for Prometheus, on a port of their own.

Nothing is counted unless a port is set. A request costs one look into a table and one observation;
what can be read off where it is kept, is read when somebody asks. docs/observability.md lists them.
"""

from asyncio import to_thread
from collections.abc import Iterable
from typing import Any, Self

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import QueuePool
from starlette.types import Scope

from app.kit.db.session import Database
from app.kit.http.gate import Gate
from app.kit.http.route import route_of
from app.kit.settings import MetricsSettings, SettingsError

# What a caller makes up must not become a series of its own.
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
OTHER = "other"
# Seconds. A statement of a small request takes a part of a millisecond.
_STATEMENT_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5)
_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """What the process counts, and the port where it tells of it."""

    def __init__(self, settings: MetricsSettings) -> None:
        self.settings = settings
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "http_request_duration_seconds",
            "Requests by route, until the last byte of the answer",
            ("method", "route", "status"),
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._statements = Histogram(
            "db_statement_duration_seconds",
            "Statements by pool, BEGIN and COMMIT included",
            ("pool",),
            buckets=_STATEMENT_BUCKETS,
            registry=self.registry,
        )
        # To find the child of a metric by its labels takes longer than to count.
        self._of_route: dict[tuple[str, str | None, int], Histogram] = {}
        self._of_pool: dict[str, Histogram] = {}
        self._kept = Kept()
        self.registry.register(self._kept)
        ProcessCollector(registry=self.registry)
        self._server: tuple[Any, Any] | None = None

    @classmethod
    def of(cls, settings: MetricsSettings) -> Self | None:
        """The metrics of a process that has a port for them."""
        return cls(settings) if settings.port else None

    def request(self, scope: Scope, status: int | None, seconds: float) -> None:
        """Count a request that has ended; without a status where it had no answer."""
        key = scope["method"], route_of(scope), (status or 0) // 100
        child = self._of_route.get(key)
        if child is None:
            child = self._child(*key)
        child.observe(seconds)

    def _child(self, method: str, route: str | None, hundreds: int) -> Histogram:
        status = f"{hundreds}xx" if hundreds else OTHER
        known = method in _METHODS
        child = self._requests.labels(method if known else OTHER, route or OTHER, status)
        if known:
            self._of_route[method, route, hundreds] = child
        return child

    def statement(self, pool: str, _statement: str, seconds: float) -> None:
        """Count a statement."""
        child = self._of_pool.get(pool)
        if child is None:
            child = self._of_pool[pool] = self._statements.labels(pool)
        child.observe(seconds)

    def watch(self, gate: Gate, places: int) -> None:
        """Tell of the requests at this gate."""
        self._kept.gate, self._kept.places = gate, places

    def start(self, database: Database) -> None:
        """Tell of this database too, and listen; raises `SettingsError` where it cannot."""
        self._kept.database = database
        host, port = str(self.settings.host), self.settings.port or 0
        try:
            self._server = start_http_server(port, host, self.registry)
        except OSError as error:
            raise SettingsError(
                f"METRICS_PORT: nobody can listen on port {port} of {host}: {error.strerror}"
            ) from None

    async def stop(self) -> None:
        """Listen no more."""
        if self._server:
            server, thread = self._server
            # It looks twice a second whether to end.
            await to_thread(server.shutdown)
            server.server_close()
            thread.join()


class Kept(Collector):
    """What is kept anyway, by the gate, the pools and the database, and read when asked for."""

    def __init__(self) -> None:
        self.gate: Gate | None = None
        self.places = 0
        self.database: Database | None = None

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now."""
        if self.gate:
            yield from _of_gate(self.gate, self.places)
        if self.database:
            yield from _of_pools(self.database)
            yield from _of_database(self.database)


def _of_gate(gate: Gate, places: int) -> Iterable[Metric]:
    yield GaugeMetricFamily("http_places", "Requests that may be at work at once", places)
    yield GaugeMetricFamily("http_requests_at_work", "Requests at work", places - gate.free)
    yield GaugeMetricFamily("http_requests_waiting", "Requests that wait for a place", gate.waiting)
    yield CounterMetricFamily("http_requests_shed", "Requests that waited in vain", gate.shed)


def _of_pools(database: Database) -> Iterable[Metric]:
    size = GaugeMetricFamily("db_pool_size", "Connections a pool may have", labels=["pool"])
    having = GaugeMetricFamily(
        "db_pool_connections", "Connections a pool has", labels=["pool", "state"]
    )
    waiting = GaugeMetricFamily(
        "db_pool_waiting", "Units of work that wait for a connection", labels=["pool"]
    )
    for name, engine in database.pools.items():
        pool = engine.sync_engine.pool
        # Behind PgBouncer there is none.
        if isinstance(pool, QueuePool):
            size.add_metric([name], _at_most(pool))
            having.add_metric([name, "in_use"], pool.checkedout())
            having.add_metric([name, "idle"], pool.checkedin())
            waiting.add_metric([name], _waiting(pool))
    yield from (size, having, waiting)


def _at_most(pool: Any) -> int:
    most: int = pool.size() + pool._max_overflow
    return most


def _waiting(pool: Any) -> int:
    # SQLAlchemy does not say: they wait in the asyncio queue within its own.
    return len(pool._pool._queue._getters)


def _of_database(database: Database) -> Iterable[Metric]:
    counts = database.counts
    yield CounterMetricFamily("db_retries", "Units of work done again", counts.retries)
    yield CounterMetricFamily(
        "db_outcomes_unknown", "Commits of which nobody heard", counts.outcomes_unknown
    )
