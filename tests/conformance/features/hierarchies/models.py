"""Single-table and joined-table inheritance."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.deletion import Model
from app.kit.db.ids import Id
from app.kit.db.relationships import relationship


class Vehicle(Model):
    """The base of a single-table inheritance."""

    __tablename__ = "conformance_vehicles"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}  # noqa: RUF012 - SQLAlchemy's syntax

    kind: Mapped[str]
    name: Mapped[str]


class Car(Vehicle):
    """A subclass in the vehicles table."""

    __mapper_args__ = {"polymorphic_identity": "car"}  # noqa: RUF012 - SQLAlchemy's syntax

    doors: Mapped[int | None] = mapped_column(default=4)

    wheels: Mapped[list["Wheel"]] = relationship(
        back_populates="car", cascade="all, delete-orphan", passive_deletes=True
    )


class Boat(Vehicle):
    """A subclass in the vehicles table."""

    __mapper_args__ = {"polymorphic_identity": "boat"}  # noqa: RUF012 - SQLAlchemy's syntax

    sails: Mapped[int | None]


class Wheel(Model):
    """A child of a car, which other vehicles do not have."""

    __tablename__ = "conformance_wheels"

    car_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_vehicles.id", ondelete="CASCADE"), index=True
    )

    car: Mapped[Car] = relationship(back_populates="wheels")


class Document(Model):
    """The base of a joined-table inheritance."""

    __tablename__ = "conformance_documents"

    kind: Mapped[str]
    title: Mapped[str]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {  # noqa: RUF012 - SQLAlchemy's syntax
        "polymorphic_on": "kind",
        "polymorphic_identity": "document",
        "version_id_col": version,
    }


class Invoice(Document):
    """A subclass with two tables: documents and invoices."""

    __tablename__ = "conformance_invoices"
    __mapper_args__ = {"polymorphic_identity": "invoice"}  # noqa: RUF012 - SQLAlchemy's syntax

    id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_documents.id", ondelete="CASCADE"), primary_key=True
    )
    total: Mapped[int]

    positions: Mapped[list["Position"]] = relationship(
        back_populates="invoice", cascade="all, delete-orphan", passive_deletes=True
    )


class CreditNote(Invoice):
    """A subclass in the tables of invoices."""

    __mapper_args__ = {"polymorphic_identity": "credit_note"}  # noqa: RUF012 - SQLAlchemy's syntax


class Reminder(Invoice):
    """A subclass with three tables."""

    __tablename__ = "conformance_reminders"
    __mapper_args__ = {"polymorphic_identity": "reminder"}  # noqa: RUF012 - SQLAlchemy's syntax

    id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_invoices.id", ondelete="CASCADE"), primary_key=True
    )
    level: Mapped[int] = mapped_column(default=1)


class Letter(Document):
    """A subclass with two tables: documents and letters."""

    __tablename__ = "conformance_letters"
    __mapper_args__ = {"polymorphic_identity": "letter"}  # noqa: RUF012 - SQLAlchemy's syntax

    id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_documents.id", ondelete="CASCADE"), primary_key=True
    )
    body: Mapped[str] = mapped_column(default="")


class Position(Model):
    """A child of an invoice, which other documents do not have."""

    __tablename__ = "conformance_positions"

    invoice_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_invoices.id", ondelete="CASCADE"), index=True
    )

    invoice: Mapped[Invoice] = relationship(back_populates="positions")
