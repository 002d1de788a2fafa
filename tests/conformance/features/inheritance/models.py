"""Single-table inheritance below an abstract base, and joined-table inheritance."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import Base, TimestampedModel
from app.kit.db.ids import Id
from app.kit.db.relationships import relationship


class Document(TimestampedModel):
    """The base of a single-table inheritance."""

    __tablename__ = "conformance_read_documents"
    __mapper_args__ = {"polymorphic_on": "sort", "polymorphic_identity": "document"}  # noqa: RUF012 - SQLAlchemy's syntax

    sort: Mapped[str] = mapped_column("kind")
    title: Mapped[str]
    person_id: Mapped[Id | None] = mapped_column(
        ForeignKey("conformance_read_people.id", ondelete="CASCADE"), index=True
    )


class Letter(Document):
    """A subclass in the documents table."""

    __mapper_args__ = {"polymorphic_identity": "letter"}  # noqa: RUF012 - SQLAlchemy's syntax
    stamp: Mapped[str | None]


class OpenLetter(Letter):
    """A subclass of a subclass."""

    __mapper_args__ = {"polymorphic_identity": "open_letter"}  # noqa: RUF012 - SQLAlchemy's syntax


class Person(TimestampedModel):
    """The base of a joined-table inheritance."""

    __tablename__ = "conformance_read_people"
    __mapper_args__ = {"polymorphic_on": "role", "polymorphic_identity": "person"}  # noqa: RUF012 - SQLAlchemy's syntax

    role: Mapped[str]
    name: Mapped[str]
    boss_id: Mapped[Id | None] = mapped_column(
        ForeignKey("conformance_read_bosses.id", ondelete="SET NULL", use_alter=True), index=True
    )
    boss: Mapped["Boss | None"] = relationship(back_populates="staff", foreign_keys=[boss_id])
    letters: Mapped[list[Letter]] = relationship(order_by=Letter.title)


class Boss(Person):
    """A subclass with its own table."""

    __tablename__ = "conformance_read_bosses"

    id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_read_people.id", ondelete="CASCADE"), primary_key=True
    )
    budget: Mapped[int] = mapped_column("euros", default=1)
    staff: Mapped[list[Person]] = relationship(
        back_populates="boss", foreign_keys=[Person.boss_id], order_by=Person.name
    )

    __mapper_args__ = {  # noqa: RUF012 - SQLAlchemy's syntax
        "polymorphic_identity": "boss",
        "inherit_condition": id == Person.id,  # noqa: A003 - the column
    }


class Seat(Base):
    """A model with a composite primary key."""

    __tablename__ = "conformance_read_seats"

    row: Mapped[str] = mapped_column("seat_row", primary_key=True)
    number: Mapped[int] = mapped_column("seat_number", primary_key=True)
    note: Mapped[str | None]
