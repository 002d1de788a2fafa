"""SQL steps of a generated migration that Alembic has no operation for."""

import re
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import renderers
from alembic.operations.ops import AlterColumnOp, MigrateOperation
from sqlalchemy import DefaultClause, FetchedValue, TextClause
from sqlalchemy.dialects import postgresql

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # no annotations there
_WIDTH = 80
_PARAMETER = re.compile(r"(?<!:):(?=\w)")


class MigrationStep(MigrateOperation):
    """Lines of Python for `upgrade()`, and the lines for `downgrade()` that undo them.

    `what` describes the step for `alembic check` and `revision`, and `risk` what to review.
    """

    def __init__(
        self,
        what: str,
        upgrade: Sequence[str],
        downgrade: Sequence[str],
        imports: Sequence[str] = (),
        risk: str | None = None,
    ) -> None:
        self.what, self.risk = what, risk
        self.upgrade, self.downgrade = upgrade, downgrade
        self.imports = imports

    def to_diff_tuple(self) -> tuple[str, ...]:
        """The difference as `alembic check` reports it."""
        return (self.what,)

    def reverse(self) -> MigrateOperation:
        """The step for `downgrade()`."""
        return MigrationStep(self.what, self.downgrade, self.upgrade, self.imports)


class ConvertColumn(MigrationStep):
    """A column gets another type, with a cast of each value."""

    def __init__(self, operation: AlterColumnOp, upgrade: str, downgrade: str) -> None:
        self.schema, self.table_name = operation.schema, operation.table_name
        self.column_name = operation.column_name
        what = f"change the type of {self.table_name}.{self.column_name}"
        risk = "rewrites and locks the table, and fails where the new type has no such value"
        super().__init__(what, [op_execute(upgrade)], [op_execute(downgrade)], risk=risk)


@renderers.dispatch_for(MigrationStep)
def _render(context: AutogenContext, step: MigrationStep) -> list[str]:
    context.imports.update(name for name in step.imports if any(step.upgrade))
    return list(step.upgrade)


def op_execute(sql: str) -> str:
    """Return the call of `op.execute` for a statement, in lines short enough for the linter."""
    parts = wrap(
        escape(sql),
        _WIDTH,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=False,
        expand_tabs=False,
        replace_whitespace=False,
    )
    return f"op.execute({' '.join(map(repr, parts))})"


def escape(sql: str) -> str:
    """Escape what `op.execute` would take for a parameter, as in the value 'a :b' of an enum."""
    return _PARAMETER.sub(r"\\:", sql)


def literal(value: str) -> str:
    """Quote a value."""
    return "'" + value.replace("'", "''") + "'"


def quote(name: str, schema: str | None = None) -> str:
    """Quote an identifier, with its schema where it has one."""
    quoted = DIALECT.identifier_preparer.quote(name)
    return f"{quote(schema)}.{quoted}" if schema else quoted


def default_sql(default: FetchedValue | None) -> str | None:
    """Return a server default as SQL; None where there is none to write."""
    value: Any = default.arg if isinstance(default, DefaultClause) else None
    if value is None or isinstance(value, str):
        return None if value is None else literal(value)
    # As it stands: compiled, a colon in it would begin a parameter.
    if isinstance(value, TextClause):
        return value.text
    return str(value.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))
