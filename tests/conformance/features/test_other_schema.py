"""Tables in another schema: migrations, COPY, bulk writes, conflicts and the diagram."""

from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import Base, table_name
from app.kit.errors.database_errors import problem_from_db_error
from app.kit.writes.bulk import insert_many, insert_returning
from app.kit.writes.copy import copy_rows
from schema_diagram import mermaid
from tests.conformance.features.billing.models import BilledCustomer, Customer, Invoice, InvoiceLine
from tests.conformance.features.migration_project import Project


def invoices(metadata: MetaData, schema: str | None) -> None:
    Table("customers", metadata, Column("id", Integer, primary_key=True))
    owner = "customers.id" if metadata.schema is None else f"{metadata.schema}.customers.id"
    Table(
        "invoices",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("customer_id", ForeignKey(owner, ondelete="CASCADE"), index=True),
        schema=schema,
    )


@pytest.mark.parametrize(
    ("metadata_schema", "schema"),
    [(None, "Bill ing"), ("billing", "billing"), ("public", "public")],
)
def test_tables_in_another_schema_are_created_once(
    project: Project, metadata_schema: str | None, schema: str
) -> None:
    invoices(project.declare(metadata_schema), schema)
    project.migrate()
    assert project.execute("SELECT to_regclass('public.alembic_version')::text") != [None]


def test_tables_of_other_services_are_kept(project: Project) -> None:
    project.execute("CREATE SCHEMA other", "CREATE TABLE other.things (id integer)")
    invoices(project.declare(), "billing")
    source = project.migrate()
    assert "other" not in source
    assert [change.what for change in project.operations][:3] == [
        "create schema billing",
        "create table customers",
        "create table billing.invoices",
    ]


def row(number: int) -> dict[str, int]:
    return {
        "number_of_the_customer_in_the_ledger": 1,
        "number_of_the_invoice_there": number,
    }


async def test_bulk_writes_to_another_schema(session: AsyncSession) -> None:
    (key,) = await insert_returning(session, Invoice, [row(1)])
    assert await copy_rows(session, Invoice, [row(2)]) == 1
    assert await insert_many(session, Invoice, [row(3)]) == 1
    assert await copy_rows(session, InvoiceLine, [{"invoice_id": key}]) == 1
    assert await session.scalar(select(func.count()).select_from(Invoice)) == 3


async def test_shortened_constraint_name_identifies_its_fields(session: AsyncSession) -> None:
    names = "SELECT conname FROM pg_constraint WHERE conname LIKE 'uq_conformance_invoices%'"
    assert len(str(await session.scalar(text(names)))) < 63
    with pytest.raises(DBAPIError) as error:
        await insert_many(session, Invoice, [row(1), row(1)])
    problem = problem_from_db_error(error.value)
    assert problem is not None
    assert problem.status == 409
    assert "number_of_the_invoice_there" in str(problem.detail)


@pytest.mark.parametrize(
    ("model", "values", "field"),
    [
        (Customer, {"code": "a", "name": "b"}, "code"),
        (BilledCustomer, {"number": 1, "label": "b"}, "number"),
    ],
)
async def test_conflict_names_the_field_of_the_right_schema(
    session: AsyncSession, model: type[Any], values: dict[str, Any], field: str
) -> None:
    with pytest.raises(DBAPIError) as error:
        await insert_many(session, model, [values, values])
    problem = problem_from_db_error(error.value)
    assert problem is not None
    assert [each.field for each in problem.errors] == [field]


def test_diagram_and_table_name_include_the_schema() -> None:
    assert table_name(Invoice) == "conformance_billing.conformance_invoices"
    diagram = mermaid(Base.metadata)
    assert '"conformance_billing.conformance_invoices"' in diagram
