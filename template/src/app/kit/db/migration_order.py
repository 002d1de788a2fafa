"""The order of a migration's operations: no table goes while another refers to it, none too early.

Alembic drops tables in any order and before the columns that refer to them, and creates tables with
foreign keys to tables and unique constraints that come later. Here foreign keys are dropped first
and added last, and tables are dropped after the changes to others.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias, cast

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import CommandError, DispatchPriority, PriorityDispatchResult
from sqlalchemy import ForeignKeyConstraint, MetaData
from sqlalchemy.sql import ddl

from app.kit.db.migration_steps import MigrationStep

TableName: TypeAlias = tuple[str | None, str]


def circular_keys(metadata: MetaData) -> list[str]:
    """Return a message for tables that refer to each other, unless a foreign key is added later."""
    sort = cast("Any", ddl).sort_tables_and_constraints
    *_, (_, keys) = sort(metadata.tables.values())
    found = sorted(
        f"{key.table.fullname}.{', '.join(key.column_keys)}" for key in keys if not key.use_alter
    )
    named = " and ".join(found)
    message = (
        f"The foreign keys {named} form a circle, in which no table can be created first. "
        "Add use_alter=True to one of them that may be NULL."
    )
    return [message] if found else []


def reject_circles(
    context: AutogenContext, _operations: ops.UpgradeOps, _schemas: set[str | None]
) -> PriorityDispatchResult:
    """Raise CommandError where a migration could not create the tables of the models."""
    if isinstance(context.metadata, MetaData) and (told := circular_keys(context.metadata)):
        raise CommandError("\n".join(told))
    return PriorityDispatchResult.CONTINUE


def order_operations(
    _context: AutogenContext, operations: ops.UpgradeOps, _schemas: set[str | None]
) -> PriorityDispatchResult:
    """Bring the operations into an order in which they run, in a downgrade as well."""
    # Types are dropped after the tables that have them; who is called first does not matter.
    steps: list[ops.MigrateOperation] = []
    while operations.ops and isinstance(operations.ops[-1], MigrationStep):
        steps.insert(0, operations.ops.pop())
    first: list[ops.MigrateOperation] = []
    last: list[ops.MigrateOperation] = []
    dropped = [each for each in operations.ops if isinstance(each, ops.DropTableOp)]
    changed = {
        (each.schema, each.table_name)
        for each in operations.ops
        if isinstance(each, ops.ModifyTableOps)
    }
    others = [each for each in operations.ops if not isinstance(each, ops.DropTableOp)]
    created: set[TableName] = set()
    for each in others:
        if isinstance(each, ops.CreateTableOp):
            name = each.schema, each.table_name
            created.add(name)
            for key in _foreign_keys(each):
                target = _target(key)
                if target != name and (key.use_alter or target in changed - created):
                    each.columns = [item for item in each.columns if item is not key]
                    last.append(_in_table(name, _add(key)))
        elif isinstance(each, ops.ModifyTableOps):
            name = each.schema, each.table_name
            first += [_in_table(name, one) for one in each.ops if _drops_foreign_key(one)]
            last += [_in_table(name, one) for one in each.ops if _adds_foreign_key(one)]
            each.ops = [
                one for one in each.ops if not (_drops_foreign_key(one) or _adds_foreign_key(one))
            ]
    kept = [each for each in others if not isinstance(each, ops.ModifyTableOps) or each.ops]
    children_first = list(_children_first(dropped, first))
    operations.ops = [*first, *kept, *last, *children_first, *steps]
    return PriorityDispatchResult.CONTINUE


def _children_first(
    dropped: list[ops.DropTableOp], first: list[ops.MigrateOperation]
) -> Iterator[ops.DropTableOp]:
    """Yield tables that no other one refers to any more; where there is none, drop its keys."""
    remaining = sorted(dropped, key=lambda each: (each.schema or "", each.table_name))
    while remaining:
        free = [each for each in remaining if not list(_references(remaining, each))]
        table = (free or remaining)[0]
        for other, key in _references(remaining, table):
            first.append(_in_table((other.schema, other.table_name), _drop(key)))
            created = _created(other)
            created.columns = [item for item in created.columns if item is not key]
        remaining.remove(table)
        yield table


def _references(
    tables: list[ops.DropTableOp], target: ops.DropTableOp
) -> Iterator[tuple[ops.DropTableOp, ForeignKeyConstraint]]:
    name = target.schema, target.table_name
    for table in tables:
        if table is not target and (created := _created(table)) is not None:
            for key in _foreign_keys(created):
                if _target(key) == name:
                    yield table, key


def _created(table: ops.DropTableOp) -> Any:
    """Return the operation that creates the table again, which a downgrade runs."""
    return cast("Any", table)._reverse


def _foreign_keys(table: ops.CreateTableOp) -> list[ForeignKeyConstraint]:
    return [item for item in table.columns if isinstance(item, ForeignKeyConstraint)]


def _target(key: ForeignKeyConstraint) -> TableName:
    *schema, table, _column = key.elements[0].target_fullname.split(".")
    return ".".join(schema) or None, table


def _add(key: ForeignKeyConstraint) -> ops.MigrateOperation:
    operation = ops.CreateForeignKeyOp.from_constraint(key)
    # It is later already.
    operation.kw.pop("use_alter", None)
    return operation


def _drop(key: ForeignKeyConstraint) -> ops.MigrateOperation:
    return ops.DropConstraintOp.from_constraint(key)


def _adds_foreign_key(operation: ops.MigrateOperation) -> bool:
    return isinstance(operation, ops.CreateForeignKeyOp)


def _drops_foreign_key(operation: ops.MigrateOperation) -> bool:
    if not isinstance(operation, ops.DropConstraintOp):
        return False
    return operation.constraint_type == "foreignkey"


def _in_table(name: TableName, operation: ops.MigrateOperation) -> ops.ModifyTableOps:
    schema, table = name
    return ops.ModifyTableOps(table, [operation], schema=schema)


_plugin = Plugin(__name__)
_plugin.add_autogenerate_comparator(
    reject_circles, "schema", "circles", priority=DispatchPriority.FIRST
)
# After the tables have been compared.
_plugin.add_autogenerate_comparator(
    order_operations, "schema", "order", priority=DispatchPriority.LAST
)
