"""Comparisons for autogenerate that Alembic lacks, and the order of the operations.

Alembic compares constraints and indexes by name and columns. This plugin compares the definitions
that PostgreSQL returns for the database and for the models. docs/database.md lists what it omits.
"""

from collections.abc import Iterator
from typing import Any, cast

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority
from alembic.util import PriorityDispatchResult as Result
from sqlalchemy import DefaultClause, Enum, ForeignKeyConstraint, Index, String, Table
from sqlalchemy.sql import ddl
from sqlalchemy.sql.elements import conv

from app.kit.migrations.autogenerate.definitions import Definitions, read_definitions
from app.kit.migrations.autogenerate.enum_comparators import compare_enums, render_type
from app.kit.migrations.autogenerate.model_checks import reject_models, stored_name
from app.kit.migrations.autogenerate.schema_steps import missing_objects
from app.kit.migrations.autogenerate.steps import native_enum

__all__ = ["COMPARISONS"]

# For `autogenerate_plugins` in migrations/env.py.
COMPARISONS = ["alembic.autogenerate.*", __name__]


def _start(context: AutogenContext, _operations: ops.UpgradeOps, _schemas: Any) -> Result:
    metadata: Any = context.metadata
    reject_models(metadata)
    options: dict[str, Any] = context.opts
    # Set here, so that migrations/env.py only has to list COMPARISONS.
    options["render_item"] = options.get("render_item") or render_type
    options["definitions"] = read_definitions(cast("Any", context.connection), metadata)
    options["used_enums"] = []
    return Result.CONTINUE


def _complete(context: AutogenContext, operations: ops.UpgradeOps, _schemas: Any) -> Result:
    """Sort the operations of Alembic, and add those for enum types, schemas and sequences."""
    metadata: Any = context.metadata
    definitions: Definitions = context.opts["definitions"]
    operations.ops = [each for each in operations.ops if not definitions.is_dependent(each)]
    _order_operations(operations)
    compare_enums(operations, metadata, context.inspector, context.opts["used_enums"])
    # Schemas before types, and types before tables.
    operations.ops = [*missing_objects(metadata, context.inspector), *operations.ops]
    return Result.CONTINUE


def _compare_type(context: AutogenContext, operation: ops.AlterColumnOp, *column: Any) -> Result:
    schema, table, name, actual, declared = column
    definitions: Definitions = context.opts["definitions"]
    old, new = definitions.compare("type", schema, table)
    if name not in new:
        return Result.CONTINUE
    operation.existing_type = actual.type
    if old[name] != new[name]:
        kind: Any = declared.type
        # With the Enum, Alembic would create its CHECK constraint twice.
        is_text = isinstance(kind, Enum) and not kind.native_enum
        operation.modify_type = String(kind.length) if is_text else kind
    return Result.STOP


def _compare_default(context: AutogenContext, operation: ops.AlterColumnOp, *column: Any) -> Result:
    schema, table, name, actual, declared = column
    definitions: Definitions = context.opts["definitions"]
    defaults = {actual.server_default, declared.server_default} - {None}
    # Alembic compares computed and identity columns, and omits the default of SERIAL.
    if not defaults or not all(isinstance(each, DefaultClause) for each in defaults):
        return Result.CONTINUE
    operation.existing_server_default = actual.server_default
    _, types = definitions.compare("type", schema, table)
    old, new = definitions.compare("default", schema, table)
    if name in types and old.get(name) != new.get(name):
        operation.modify_server_default = declared.server_default
    return Result.STOP


def _skip_indexes(_context: AutogenContext, _operations: Any, *table: Any) -> Result:
    """Let Alembic compare no indexes, except to create or drop a table."""
    _schema, _name, actual, declared = table
    return Result.CONTINUE if actual is None or declared is None else Result.STOP


def _compare_table(context: AutogenContext, operations: ops.ModifyTableOps, *table: Any) -> Result:
    """Compare constraints and indexes, in place of Alembic."""
    schema, name, actual, declared = table
    definitions: Definitions = context.opts["definitions"]
    if actual is not None:
        enums = (native_enum(column.type) for column in actual.columns)
        context.opts["used_enums"] += [each for each in enums if each]
    if actual is None or declared is None:
        return Result.CONTINUE
    old, new = definitions.compare("item", schema, name)
    existing, wanted = _items(actual), _items(declared)
    added = {each.column.name for each in operations.ops if isinstance(each, ops.AddColumnOp)}
    foreign_keys = ops.AddConstraintOp, ops.DropConstraintOp
    operations.ops = [each for each in operations.ops if not isinstance(each, foreign_keys)]
    for key in sorted(existing.keys() | wanted.keys()):
        item = wanted.get(key)
        # Compared by name only: exclusion constraints (SQLAlchemy cannot reflect them), and items
        # that PostgreSQL could not create.
        is_exclusion = old.get(key, "").startswith("EXCLUDE")
        is_unknown = item is not None and key not in new
        is_equal = key in old and (is_exclusion or is_unknown or old[key] == new.get(key))
        if is_equal or _is_part_of(added, item):
            continue
        operations.ops += [_drop(existing[key])] if key in existing else []
        operations.ops += [_add(item)] if item is not None else []
    return Result.CONTINUE


def _items(table: Table) -> dict[str, Any]:
    """Return the named constraints and indexes of a table, except for the primary key."""
    of_columns = (item for column in table.columns for item in column.constraints)
    items: tuple[Any, ...] = (*table.indexes, *table.constraints, *of_columns)
    named = {stored_name(item): item for item in items if item is not table.primary_key}
    return {name: item for name, item in named.items() if name}


def _is_part_of(columns: set[str], item: Any) -> bool:
    """Return whether Alembic adds a constraint with its column: the CHECK of an Enum as text."""
    return getattr(item, "_type_bound", False) and not columns.isdisjoint(item.columns.keys())


def _drop(item: Any) -> ops.MigrateOperation:
    if isinstance(item, Index):
        return ops.DropIndexOp.from_index(item)
    item.name = conv(item.name)  # the naming convention must not change the name
    return ops.DropConstraintOp.from_constraint(item)


def _add(item: Any) -> ops.MigrateOperation:
    if isinstance(item, Index):
        return ops.CreateIndexOp.from_index(item)
    return ops.AddConstraintOp.from_constraint(item)


def _order_operations(operations: ops.UpgradeOps) -> None:
    """Sort the operations so that the upgrade and the downgrade can run.

    Alembic may drop a table before the foreign keys that reference it, and create a foreign key
    before its target table or unique constraint.
    """
    drop_keys: list[ops.MigrateOperation] = []
    alter: list[ops.MigrateOperation] = []
    create: list[ops.MigrateOperation] = []
    add_keys: list[ops.MigrateOperation] = []
    drop_tables: list[ops.DropTableOp] = []
    others: list[ops.MigrateOperation] = []  # of other plugins
    new: str | None = None
    for operation in operations.ops:
        if isinstance(operation, ops.CreateTableOp):
            new = operation.table_name
            create.append(operation)
            add_keys += _separate_keys(operation)
        elif isinstance(operation, ops.DropTableOp):
            drop_tables.append(operation)
        elif isinstance(operation, ops.ModifyTableOps):
            for each in sorted(operation.ops, key=_rank):
                # The indexes of a new table follow it.
                stage = create if operation.table_name == new else alter
                if isinstance(each, ops.CreateForeignKeyOp):
                    stage = add_keys
                elif getattr(each, "constraint_type", None) == "foreignkey":
                    stage = drop_keys
                stage.append(_in_table(operation, each))
        else:
            others.append(operation)
    table_drops = _children_first(drop_tables, drop_keys)  # may add to `drop_keys`
    operations.ops = [*drop_keys, *alter, *create, *add_keys, *table_drops, *others]


def _separate_keys(table: ops.CreateTableOp) -> Iterator[ops.ModifyTableOps]:
    """Remove the foreign keys with `use_alter` from a new table, and yield operations for them."""
    keys: list[Any] = [each for each in table.columns if getattr(each, "use_alter", False)]
    for key in keys:
        _remove(table, key)
        operation = ops.CreateForeignKeyOp.from_constraint(key)
        # The operation already runs after the tables are created.
        operation.kw.pop("use_alter", None)
        yield _in_table(table, operation)


def _rank(operation: ops.MigrateOperation) -> int:
    """Return the position in a table: a constraint or index may depend on a column's old type."""
    if isinstance(operation, ops.DropConstraintOp | ops.DropIndexOp):
        return 0
    return 2 if isinstance(operation, ops.AddConstraintOp | ops.CreateIndexOp) else 1


def _children_first(
    dropped: list[ops.DropTableOp], drop_keys: list[ops.MigrateOperation]
) -> list[ops.DropTableOp]:
    """Sort tables after the tables that reference them. In a cycle, drop foreign keys first."""
    ordered = sorted(dropped, key=lambda each: (each.schema or "", each.table_name))
    # The downgrade's operation has the table's items. `reverse()` returns a copy.
    drops: dict[Table, Any] = {
        cast("Any", each)._reverse.columns[0].table: each for each in ordered
    }
    *tables, (_, cyclic) = cast("Any", ddl).sort_tables_and_constraints(drops)
    for key in sorted(cyclic, key=lambda each: str(each.name)):
        drop = drops[key.table]
        drop_keys.append(_in_table(drop, ops.DropConstraintOp.from_constraint(key)))
        # In the downgrade, the operation above adds the key, after both tables are created.
        _remove(drop._reverse, key)
    return [drops[table] for table, _ in reversed(tables)]


def _remove(table: ops.CreateTableOp, key: ForeignKeyConstraint) -> None:
    table.columns = [each for each in table.columns if each is not key]


def _in_table(table: Any, operation: ops.MigrateOperation) -> ops.ModifyTableOps:
    return ops.ModifyTableOps(table.table_name, [operation], schema=table.schema)


_plugin = Plugin(__name__)
_FIRST, _LAST = DispatchPriority.FIRST, DispatchPriority.LAST
_plugin.add_autogenerate_comparator(_start, "schema", "start", priority=_FIRST)
_plugin.add_autogenerate_comparator(_complete, "schema", "completion", priority=_LAST)
_plugin.add_autogenerate_comparator(_skip_indexes, "table", "indexes", priority=_FIRST)
_plugin.add_autogenerate_comparator(_compare_table, "table", "constraints", priority=_LAST)
_plugin.add_autogenerate_comparator(_compare_type, "column", "types", priority=_FIRST)
_plugin.add_autogenerate_comparator(_compare_default, "column", "server_default", priority=_FIRST)
