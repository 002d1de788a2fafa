"""Detect schema differences that Alembic overlooks."""

from collections.abc import Sequence
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations.ops import UpgradeOps
from alembic.runtime.plugins import Plugin
from alembic.util import PriorityDispatchResult
from sqlalchemy import CheckConstraint, Column, Connection, Index, Integer, MetaData, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.migrations.autogenerate.comparators import COMPARISONS
from app.kit.migrations.autogenerate.steps import MigrationStep

NOT_DELETED = text("deleted_at IS NULL")
CHECK = CheckConstraint("id > 0", name="ck_kit_drifting_positive")


async def differences(
    connection: AsyncConnection, *declared: Index | CheckConstraint, plugins: Sequence[str] = ()
) -> list[Any]:
    """Return the differences between a table with a full index and the declared items."""
    await connection.execute(
        text("CREATE TABLE kit_drifting (id integer NOT NULL, deleted_at integer)")
    )
    await connection.execute(text("CREATE UNIQUE INDEX ix_kit_drifting ON kit_drifting (id)"))
    metadata = MetaData()
    columns = Column("id", Integer, nullable=False), Column("deleted_at", Integer)
    Table("kit_drifting", metadata, *columns, *declared)

    def include_test_table(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name == "kit_drifting"

    def compare(connection: Connection) -> list[Any]:
        options: dict[str, Any] = {
            "autogenerate_plugins": [*COMPARISONS, *plugins],
            "include_name": include_test_table,
        }
        context = MigrationContext.configure(connection, opts=options)
        return [difference[0] for difference in compare_metadata(context, metadata)]

    return await connection.run_sync(compare)


@pytest.mark.parametrize(
    ("condition", "expected"), [(None, []), (NOT_DELETED, ["remove_index", "add_index"])]
)
async def test_index_that_became_partial_is_recreated(
    connection: AsyncConnection, condition: Any, expected: list[str]
) -> None:
    index = Index("ix_kit_drifting", "id", unique=True, postgresql_where=condition)

    assert await differences(connection, index) == expected


async def test_index_with_other_columns_that_became_partial_is_recreated_once(
    connection: AsyncConnection,
) -> None:
    index = Index("ix_kit_drifting", "deleted_at", unique=True, postgresql_where=NOT_DELETED)

    assert await differences(connection, index) == ["remove_index", "add_index"]


async def test_missing_check_constraint_is_added(connection: AsyncConnection) -> None:
    index = Index("ix_kit_drifting", "id", unique=True)

    assert await differences(connection, index, CHECK) == ["add_constraint"]


async def test_operation_of_another_plugin_is_kept(connection: AsyncConnection) -> None:
    def compare(_context: Any, operations: UpgradeOps, _schemas: Any) -> PriorityDispatchResult:
        operations.ops.append(MigrationStep("grant", ["pass"], ["pass"]))
        return PriorityDispatchResult.CONTINUE

    plugin = Plugin("kit_grants")
    plugin.add_autogenerate_comparator(compare, "schema", "grants")
    try:
        index = Index("ix_kit_drifting", "deleted_at", unique=True)
        found = await differences(connection, index, plugins=[plugin.name])
    finally:
        plugin.remove()

    assert found == ["remove_index", "add_index", "grant"]
