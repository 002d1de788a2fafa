"""Models with every kind of relationship, for the tests of views."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    Interval,
    Numeric,
    String,
    Text,
)
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from app.kit.db.base import value_enum
from tests.conformance.support.simple_models import Kind

Moment = DateTime(timezone=True)


class Own(DeclarativeBase):
    """Base of the tables of these tests, outside the service's own metadata."""


class Shelf(Own):
    """A row with a self-referential relationship, and relationships to two other models."""

    __tablename__ = "kit_shelves"
    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    lasts: Mapped[timedelta] = mapped_column(Interval, default=timedelta(days=1))
    above_number: Mapped[int | None] = mapped_column(ForeignKey("kit_shelves.number"))

    above: Mapped["Shelf | None"] = relationship(remote_side=[number], back_populates="below")
    below: Mapped[list["Shelf"]] = relationship(
        back_populates="above", order_by="Shelf.number.desc()"
    )
    books: Mapped[list["Book"]] = relationship(back_populates="shelf", order_by="Book.number")
    book_titles: AssociationProxy[list[str]] = association_proxy("books", "title")
    labels: Mapped[list["Label"]] = relationship(secondary="kit_labelled", order_by="Label.name")
    backwards: Mapped[list["Label"]] = relationship(
        secondary="kit_labelled", order_by="Labelled.label.desc()", viewonly=True
    )

    @hybrid_property
    def title(self) -> str:
        """A hybrid attribute with a SQL expression."""
        return "shelf " + self.name

    @hybrid_property
    def letters(self) -> int:
        """A hybrid attribute that exists in Python only."""
        return len(self.name)


class Book(Own):
    """A row with a column of each type that a view returns as JSON."""

    __tablename__ = "kit_books"
    number: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("kit_shelves.number"))
    title: Mapped[str] = mapped_column(Text)
    price: Mapped[Decimal | None] = mapped_column(Numeric(30, 12))
    weight: Mapped[float] = mapped_column(Double)
    is_lent: Mapped[bool]
    kind: Mapped[Kind] = mapped_column(value_enum(Kind, "kit_kind"))
    printed_on: Mapped[date]
    lent_at: Mapped[datetime | None] = mapped_column(Moment)
    code: Mapped[UUID]
    words: Mapped[list[str]] = mapped_column(ARRAY(String))
    notes: Mapped[dict[str, Any]] = mapped_column(JSON)
    was: Mapped[Kind] = mapped_column(Enum(Kind, name="kit_kind_names"), default=Kind.FLAT)
    shelf: Mapped[Shelf] = relationship(back_populates="books")


class Label(Own):
    """The target of a many-to-many relationship."""

    __tablename__ = "kit_labels"
    name: Mapped[str] = mapped_column(primary_key=True)


class Labelled(Own):
    """The association table of shelves and labels."""

    __tablename__ = "kit_labelled"
    shelf_id: Mapped[int] = mapped_column(ForeignKey("kit_shelves.number"), primary_key=True)
    label: Mapped[str] = mapped_column(ForeignKey("kit_labels.name"), primary_key=True)
