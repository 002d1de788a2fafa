"""The caller as a PostgreSQL setting in each transaction, for audit triggers and row security.

`nullif(current_setting('app.caller', true), '')` is the subject of the caller in SQL, or NULL
without a caller. BEGIN, or the statement of a view, sets it in the same round trip. Reads in
autocommit (`ReadSessionDep`, and views with `DatabaseDep`) have no transaction, so they do not set
it: pass `SessionDep` to read a table with row-level security.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import TEXT

from app.kit.auth.audit import current_subject

SETTING = "app.caller"
_PARAMETER = "caller_subject"

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection


class CallerConnection(_Connection):
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


def as_caller(
    entry: Hashable, build: Callable[[], Any], values: Mapping[str, Any]
) -> tuple[Hashable, Callable[[], Any], Mapping[str, Any]]:
    """Add the caller to an INSERT or UPDATE of one statement, which has no BEGIN.

    The arguments and the result are those of `StatementCache.write`.
    """
    subject = current_subject()
    if subject is None:
        return entry, build, values
    return (entry, SETTING), lambda: _with_caller(build()), {**values, _PARAMETER: subject}


def _with_caller(statement: Any) -> Any:
    # PostgreSQL evaluates a condition without columns once, before it reads or writes a row.
    setting = func.set_config(SETTING, bindparam(_PARAMETER, type_=TEXT), True)
    return statement.where(select(setting).scalar_subquery().is_not(None))
