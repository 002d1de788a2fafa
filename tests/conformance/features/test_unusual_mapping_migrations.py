"""A generated migration creates and drops the tables of models with unusual mappings."""

from typing import Any

from sqlalchemy import Column, Integer, Table

from tests.conformance.features.migration_project import Project
from tests.conformance.features.unusual_mappings.models import (
    SCHEMA,
    Asset,
    Device,
    Fan,
    Machine,
    Piece,
    Robot,
    Show,
    Ticket,
    Tile,
    follows,
)

MODELS = (Asset, Device, Fan, Machine, Piece, Robot, Show, Ticket, Tile)


def test_migration_creates_drops_and_recreates_tables(project: Project) -> None:
    tables: list[Any] = [*(model.__table__ for model in MODELS), follows]
    metadata = project.declare()
    for table in tables:
        table.to_metadata(metadata)
    project.migrate()
    # Tables in schemas without a model are not dropped.
    Table("kept", project.declare(), Column("id", Integer, primary_key=True), schema=SCHEMA)
    project.migrate()
    assert project.execute("SELECT typname::text FROM pg_type WHERE typtype = 'e'") == []


def test_model_of_a_view_needs_no_migration(project: Project) -> None:
    view = {"is_view": True}
    Table("shown", project.declare(), Column("id", Integer, primary_key=True), info=view)
    assert project.revise() is None
    project.execute("CREATE VIEW shown AS SELECT 1 AS id")
    project.check()
    # The view becomes a table, and the other way round.
    project.execute("DROP VIEW shown")
    Table("shown", project.declare(), Column("id", Integer, primary_key=True))
    project.migrate()
    Table("shown", project.declare(), Column("id", Integer, primary_key=True), info=view)
    assert project.revise() is None
