"""Detect values of an enum type that the database or the models lack."""

import re
from ast import literal_eval

import pytest
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import ARRAY, Column, Connection, Enum, MetaData, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.migrations.autogenerate.comparators import COMPARISONS

# The comments that Alembic adds around generated code.
FRAME = re.compile(r"^\s*# ###.*\n?", re.MULTILINE)


async def generated_code(
    connection: AsyncConnection, *values: str, array: bool = False
) -> tuple[str, str]:
    """Return the generated upgrade and downgrade from an enum with the values a and c."""
    await connection.execute(text("CREATE TYPE kit_kind AS ENUM ('a', 'c')"))
    column = "kit_kind[]" if array else "kit_kind"
    await connection.execute(text(f"CREATE TABLE kit_kinds (kind {column})"))
    metadata = MetaData()
    kind = Enum(*values, name="kit_kind")
    Table("kit_kinds", metadata, Column("kind", ARRAY(kind) if array else kind))

    def include_test_table(name: str | None, of: str, _parents: object) -> bool:
        return of != "table" or name == "kit_kinds"

    def generate(connection: Connection) -> tuple[str, str]:
        opts = {"autogenerate_plugins": COMPARISONS, "include_name": include_test_table}
        context = MigrationContext.configure(connection, opts=opts)
        script = produce_migrations(context, metadata)
        assert script.upgrade_ops is not None
        assert script.downgrade_ops is not None
        up = FRAME.sub("", render_python_code(script.upgrade_ops))
        down = FRAME.sub("", render_python_code(script.downgrade_ops))
        return up.strip(), down.strip()

    return await connection.run_sync(generate)


async def test_equal_values_need_no_migration(connection: AsyncConnection) -> None:
    assert await generated_code(connection, "a", "c") == ("pass", "pass")


@pytest.mark.parametrize("array", [False, True])
async def test_new_values_are_added_at_their_positions(
    connection: AsyncConnection, array: bool
) -> None:
    up, down = await generated_code(connection, "_", "a", "b'", "c", "d", array=array)
    statements = [literal_eval(call) for call in re.findall(r"op\.execute\((.*)\)", up)]
    assert len(statements) == 3, up
    for statement in statements:
        await connection.execute(text(statement))
    labels = text(
        "SELECT enumlabel FROM pg_enum JOIN pg_type t ON t.oid = enumtypid"
        " WHERE typname = 'kit_kind' ORDER BY enumsortorder"
    )
    found = await connection.scalars(labels)
    assert list(found) == ["_", "a", "b'", "c", "d"]
    assert down.endswith("pass")


@pytest.mark.parametrize("values", [("a",), ("c", "a")])
async def test_removed_or_reordered_values_need_a_new_type(
    connection: AsyncConnection, values: tuple[str, ...]
) -> None:
    up, _ = await generated_code(connection, *values)
    assert up.startswith("replace_enum('kit_kind', ")
