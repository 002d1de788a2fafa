"""Prometheus metrics of this process, on a separate port.

Without a port, nothing is counted. Each request of Prometheus reads the state of the pools and the
concurrency limiter. docs/observability.md lists the metrics.
"""

from asyncio import to_thread
from collections.abc import Iterable
from typing import Any, Self, cast

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import QueuePool
from starlette.types import Scope

from app.kit.db.session import Database
from app.kit.http.asgi import route_template
from app.kit.http.middleware.concurrency_limiter import ConcurrencyLimiter
from app.kit.settings import MetricsSettings, SettingsError

# Unknown methods share one label value: clients must not create time series.
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
OTHER = "other"
# Seconds. Small statements take less than a millisecond.
_STATEMENT_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5)
_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The metrics of the process and the server that exposes them."""

    def __init__(self, settings: MetricsSettings) -> None:
        self.settings = settings
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "http_request_duration_seconds",
            "Duration of requests by route, until the last byte of the response",
            ("method", "route", "status"),
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._statements = Histogram(
            "db_statement_duration_seconds",
            "Duration of statements by pool, including BEGIN and COMMIT",
            ("pool",),
            buckets=_STATEMENT_BUCKETS,
            registry=self.registry,
        )
        # Cached, because the lookup of a metric by its labels takes longer than the observation.
        self._request_histograms: dict[tuple[str, str | None, int], Histogram] = {}
        self._statement_histograms: dict[str, Histogram] = {}
        self._state = StateCollector()
        self.registry.register(self._state)
        ProcessCollector(registry=self.registry)
        self._server: tuple[Any, Any] | None = None

    @classmethod
    def from_settings(cls, settings: MetricsSettings) -> Self | None:
        """Return the metrics, or None if no port is set."""
        return cls(settings) if settings.port else None

    def request(self, scope: Scope, status: int | None, seconds: float) -> None:
        """Record a finished request. The status is None if no response was sent."""
        key = scope["method"], route_template(scope), (status or 0) // 100
        histogram = self._request_histograms.get(key)
        if histogram is None:
            histogram = self._request_histogram(*key)
        histogram.observe(seconds)

    def _request_histogram(self, method: str, route: str | None, status_class: int) -> Histogram:
        status = f"{status_class}xx" if status_class else OTHER
        if method not in _METHODS:
            return self._requests.labels(OTHER, route or OTHER, status)
        histogram = self._requests.labels(method, route or OTHER, status)
        self._request_histograms[method, route, status_class] = histogram
        return histogram

    def statement(self, pool: str, _statement: str, seconds: float) -> None:
        """Record a statement."""
        histogram = self._statement_histograms.get(pool)
        if histogram is None:
            histogram = self._statement_histograms[pool] = self._statements.labels(pool)
        histogram.observe(seconds)

    def watch(self, limiter: ConcurrencyLimiter, concurrency_limit: int) -> None:
        """Export the state of this concurrency limiter."""
        self._state.limiter, self._state.concurrency_limit = limiter, concurrency_limit

    def start(self, database: Database) -> None:
        """Export the state of the pools of this database, and start the server.

        Raises SettingsError if the port is not available.
        """
        self._state.database = database
        host, port = str(self.settings.host), self.settings.port or 0
        try:
            self._server = start_http_server(port, host, self.registry)
        except OSError as error:
            raise SettingsError(
                f"METRICS_PORT: cannot listen on port {port} of {host}: {error.strerror}"
            ) from None

    async def stop(self) -> None:
        """Stop the server."""
        if self._server:
            server, thread = self._server
            # Blocks for up to half a second.
            await to_thread(server.shutdown)
            server.server_close()
            thread.join()


class StateCollector(Collector):
    """Collects the current state of the concurrency limiter, the pools and the database."""

    def __init__(self) -> None:
        self.limiter: ConcurrencyLimiter | None = None
        self.concurrency_limit = 0
        self.database: Database | None = None

    def collect(self) -> Iterable[Metric]:
        """Yield the current values."""
        if self.limiter:
            yield from _limiter_metrics(self.limiter, self.concurrency_limit)
        if self.database:
            yield from _pool_metrics(self.database)
            yield from _transaction_metrics(self.database)


def _limiter_metrics(limiter: ConcurrencyLimiter, concurrency_limit: int) -> Iterable[Metric]:
    yield GaugeMetricFamily(
        "http_concurrency_limit", "Maximum number of concurrent requests", concurrency_limit
    )
    yield GaugeMetricFamily(
        "http_requests_in_progress", "Requests in progress", concurrency_limit - limiter.free
    )
    yield GaugeMetricFamily("http_requests_waiting", "Queued requests", limiter.waiting)
    yield CounterMetricFamily(
        "http_requests_rejected", "Requests rejected with 503", limiter.rejected
    )


def _pool_metrics(database: Database) -> Iterable[Metric]:
    size = GaugeMetricFamily("db_pool_size", "Maximum connections of a pool", labels=["pool"])
    connections = GaugeMetricFamily(
        "db_pool_connections", "Open connections of a pool", labels=["pool", "state"]
    )
    waiting = GaugeMetricFamily(
        "db_pool_waiting", "Tasks that wait for a connection", labels=["pool"]
    )
    for name, engine in database.pools.items():
        pool = engine.sync_engine.pool
        # With PgBouncer, the pool is a NullPool.
        if isinstance(pool, QueuePool):
            size.add_metric([name], pool.size() + cast("Any", pool)._max_overflow)
            connections.add_metric([name, "in_use"], pool.checkedout())
            connections.add_metric([name, "idle"], pool.checkedin())
            # SQLAlchemy has no public counter. Waiting tasks are in the asyncio queue in its queue.
            waiting.add_metric([name], len(cast("Any", pool)._pool._queue._getters))
    yield from (size, connections, waiting)


def _transaction_metrics(database: Database) -> Iterable[Metric]:
    counts = database.counts
    yield CounterMetricFamily("db_retries", "Retried transactions", counts.retries)
    yield CounterMetricFamily(
        "db_outcomes_unknown", "Commits with an unknown outcome", counts.outcomes_unknown
    )
