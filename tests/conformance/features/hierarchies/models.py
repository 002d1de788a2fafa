"""Models that inherit from models: in the table of the parent, and in tables of their own."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.deletion import Entity
from app.kit.db.ids import Id
from app.kit.db.relation import relation


class Vehicle(Entity):
    """The base of a hierarchy in one table."""

    __tablename__ = "conformance_vehicles"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}  # noqa: RUF012 - as SQLAlchemy

    kind: Mapped[str]
    name: Mapped[str]


class Car(Vehicle):
    """A car, in the table of vehicles."""

    __mapper_args__ = {"polymorphic_identity": "car"}  # noqa: RUF012 - as SQLAlchemy

    doors: Mapped[int | None] = mapped_column(default=4)

    wheels: Mapped[list["Wheel"]] = relation(
        back_populates="car", cascade="all, delete-orphan", passive_deletes=True
    )


class Boat(Vehicle):
    """A boat, in the table of vehicles."""

    __mapper_args__ = {"polymorphic_identity": "boat"}  # noqa: RUF012 - as SQLAlchemy

    sails: Mapped[int | None]


class Wheel(Entity):
    """What only a car owns."""

    __tablename__ = "conformance_wheels"

    car_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_vehicles.id", ondelete="CASCADE"), index=True
    )

    car: Mapped[Car] = relation(back_populates="wheels")


class Document(Entity):
    """The base of a hierarchy with a table for each class."""

    __tablename__ = "conformance_documents"

    kind: Mapped[str]
    title: Mapped[str]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {  # noqa: RUF012 - as SQLAlchemy
        "polymorphic_on": "kind",
        "polymorphic_identity": "document",
        "version_id_col": version,
    }


class Invoice(Document):
    """An invoice, in tables of documents and of its own."""

    __tablename__ = "conformance_invoices"
    __mapper_args__ = {"polymorphic_identity": "invoice"}  # noqa: RUF012 - as SQLAlchemy

    id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_documents.id", ondelete="CASCADE"), primary_key=True
    )
    total: Mapped[int]

    positions: Mapped[list["Position"]] = relation(
        back_populates="invoice", cascade="all, delete-orphan", passive_deletes=True
    )


class Reminder(Invoice):
    """A reminder, in three tables."""

    __tablename__ = "conformance_reminders"
    __mapper_args__ = {"polymorphic_identity": "reminder"}  # noqa: RUF012 - as SQLAlchemy

    id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_invoices.id", ondelete="CASCADE"), primary_key=True
    )
    level: Mapped[int] = mapped_column(default=1)


class Letter(Document):
    """A letter, in tables of documents and of its own."""

    __tablename__ = "conformance_letters"
    __mapper_args__ = {"polymorphic_identity": "letter"}  # noqa: RUF012 - as SQLAlchemy

    id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_documents.id", ondelete="CASCADE"), primary_key=True
    )
    body: Mapped[str] = mapped_column(default="")


class Position(Entity):
    """What only an invoice owns."""

    __tablename__ = "conformance_positions"

    invoice_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_invoices.id", ondelete="CASCADE"), index=True
    )

    invoice: Mapped[Invoice] = relation(back_populates="positions")
