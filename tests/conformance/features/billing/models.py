"""Tables with long names in a separate schema."""

from enum import StrEnum

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import TimestampedModel, value_enum
from app.kit.db.deletion import Model
from app.kit.db.ids import Id

SCHEMA = "conformance_billing"


class InvoiceState(StrEnum):
    OPEN = "open"
    PAID = "paid"


class Invoice(Model):
    __tablename__ = "conformance_invoices"
    __table_args__ = (
        UniqueConstraint("number_of_the_customer_in_the_ledger", "number_of_the_invoice_there"),
        {"schema": SCHEMA},
    )

    number_of_the_customer_in_the_ledger: Mapped[int]
    number_of_the_invoice_there: Mapped[int]
    state: Mapped[InvoiceState] = mapped_column(
        value_enum(InvoiceState, "conformance_invoice_state"), default=InvoiceState.OPEN
    )


class InvoiceLine(TimestampedModel):
    __tablename__ = "conformance_invoice_lines"
    __table_args__ = ({"schema": SCHEMA},)

    invoice_id: Mapped[Id] = mapped_column(
        ForeignKey(f"{SCHEMA}.conformance_invoices.id", ondelete="CASCADE"), index=True
    )


class Customer(Model):
    """Shares the table name of `BilledCustomer`, and has another unique column."""

    __tablename__ = "conformance_customers"

    code: Mapped[str]
    name: Mapped[str]
    __table_args__ = (UniqueConstraint("code", name="uq_conformance_customers"),)


class BilledCustomer(Model):
    __tablename__ = "conformance_customers"
    __table_args__ = (
        UniqueConstraint("number", name="uq_conformance_customers"),
        {"schema": SCHEMA},
    )

    number: Mapped[int]
    label: Mapped[str]
