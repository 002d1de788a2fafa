"""The one error of this package."""


class PostgresUnavailable(RuntimeError):
    """No local PostgreSQL could be found or started; the message says why and what helps."""
