"""The caller in the database: columns of rows, and a PostgreSQL setting in each transaction.

`nullif(current_setting('app.caller', true), '')` is the subject of the caller in SQL, or NULL
without a caller, for audit triggers and row security. BEGIN, or the statement of a view, sets it in
the same round trip. Reads in autocommit (`ReadSessionDep`, and views with `DatabaseDep`) have no
transaction, so they do not set it: pass `SessionDep` to read a table with row-level security.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from sqlalchemy import String, bindparam, func, select
from sqlalchemy.dialects.postgresql import TEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.auth.caller import current_caller
from app.kit.db.connections.asyncpg_driver import Connection

SETTING = "app.caller"
_PARAMETER = "caller_subject"
# OpenID Connect limits a subject to 255 characters.
SUBJECT_LENGTH = 255


def current_subject() -> str | None:
    """Return the subject of the current caller; None in a public endpoint or a job."""
    caller = current_caller()
    return caller.subject if caller else None


class AuditMixin:
    """Adds the subjects of the callers that created and last updated a row.

    Every write of the kit sets them: sessions, views, bulk statements and COPY. A value is None for
    a write without a caller, such as a job. Write the base class after it:
    `class Invoice(AuditMixin, TimestampedModel)`.
    """

    created_by: Mapped[str | None] = mapped_column(String(SUBJECT_LENGTH), default=current_subject)
    updated_by: Mapped[str | None] = mapped_column(
        String(SUBJECT_LENGTH), default=current_subject, onupdate=current_subject
    )


class CallerConnection(Connection):
    """A connection whose BEGIN also sets the caller, in the same message."""

    async def execute(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of asyncpg
    ) -> str:
        """Execute statements; see asyncpg."""
        subject = current_subject()
        if subject is None or not query.startswith("BEGIN"):
            return await super().execute(query, *args, timeout=timeout)
        connection: Any = self
        # Without parameters, because BEGIN accepts none. Not with `execute`, because logs and
        # traces of statements must not contain the subject.
        with connection._time_and_log(query, args, timeout):
            setting = f"SELECT set_config('{SETTING}', {_quote(subject)}, true);"
            status: str = await connection._protocol.query(f"{query} {setting}", timeout)
        return status


def _quote(text: str) -> str:
    """Return an SQL literal. In this form, the value of no setting changes its meaning."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def with_current_user(
    lookup_key: Hashable, build: Callable[[], Any], values: Mapping[str, Any]
) -> tuple[Hashable, Callable[[], Any], Mapping[str, Any]]:
    """Add the caller to an INSERT or UPDATE that runs as a single statement, without BEGIN.

    The arguments and the result are those of `StatementCache.write`.
    """
    subject = current_subject()
    if subject is None:
        return lookup_key, build, values
    return (lookup_key, SETTING), lambda: _with_caller(build()), {**values, _PARAMETER: subject}


def _with_caller(statement: Any) -> Any:
    # PostgreSQL evaluates a condition without columns once, before it reads or writes a row.
    setting = func.set_config(SETTING, bindparam(_PARAMETER, type_=TEXT), True)
    return statement.where(select(setting).scalar_subquery().is_not(None))
