"""Values of an enumerated type that the database or the models lack are noticed."""

import re
from ast import literal_eval

import pytest
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import ARRAY, Column, Connection, Enum, MetaData, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.db.drift import COMPARISONS

# Alembic's two comments that stand around what it writes.
FRAME = re.compile(r"^\s*# ###.*\n?", re.MULTILINE)


async def written(
    connection: AsyncConnection, *values: str, array: bool = False
) -> tuple[str, str]:
    """What upgrades a type of the values a and c to these, and what undoes it."""
    await connection.execute(text("CREATE TYPE kit_kind AS ENUM ('a', 'c')"))
    column = "kit_kind[]" if array else "kit_kind"
    await connection.execute(text(f"CREATE TABLE kit_kinds (kind {column})"))
    metadata = MetaData()
    kind = Enum(*values, name="kit_kind")
    Table("kit_kinds", metadata, Column("kind", ARRAY(kind) if array else kind))

    def only_that_table(name: str | None, of: str, _parents: object) -> bool:
        return of != "table" or name == "kit_kinds"

    def write(connection: Connection) -> tuple[str, str]:
        opts = {"autogenerate_plugins": COMPARISONS, "include_name": only_that_table}
        context = MigrationContext.configure(connection, opts=opts)
        script = produce_migrations(context, metadata)
        assert script.upgrade_ops is not None
        assert script.downgrade_ops is not None
        up = FRAME.sub("", render_python_code(script.upgrade_ops))
        down = FRAME.sub("", render_python_code(script.downgrade_ops))
        return up.strip(), down.strip()

    return await connection.run_sync(write)


async def test_the_same_values_need_nothing(connection: AsyncConnection) -> None:
    assert await written(connection, "a", "c") == ("pass", "pass")


@pytest.mark.parametrize("array", [False, True])
async def test_new_values_are_added_in_their_places(
    connection: AsyncConnection, array: bool
) -> None:
    up, down = await written(connection, "_", "a", "b'", "c", "d", array=array)
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
async def test_removed_or_moved_values_need_a_new_type(
    connection: AsyncConnection, values: tuple[str, ...]
) -> None:
    up, _ = await written(connection, *values)
    assert up.startswith("replace_enum('kit_kind', ")
