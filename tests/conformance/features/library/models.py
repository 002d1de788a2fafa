"""Models with every kind of relationship, and attributes whose names differ from their columns."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    String,
    Table,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, column_property, mapped_column

from app.kit.db.base import Base, TimestampedModel, value_enum
from app.kit.db.deletion import Model
from app.kit.db.ids import Id
from app.kit.db.relationships import relationship


class Binding(StrEnum):
    """The binding of a book."""

    HARD = "hard-cover"
    SOFT = "paperback"


class LibraryWriter(Model):
    """The author of books."""

    __tablename__ = "conformance_library_writers"

    name: Mapped[str]
    books: Mapped[list["LibraryBook"]] = relationship(
        back_populates="writer", order_by="LibraryBook.title", passive_deletes=True
    )


subjects = Table(
    "conformance_library_book_subjects",
    Base.metadata,
    Column(
        "book_id", ForeignKey("conformance_library_books.id", ondelete="CASCADE"), primary_key=True
    ),
    Column(
        "subject_id",
        ForeignKey("conformance_library_subjects.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)


class LibrarySubject(TimestampedModel):
    """The subject of books."""

    __tablename__ = "conformance_library_subjects"

    name: Mapped[str] = mapped_column(String(40), unique=True)


class LibraryBook(Model):
    """A book; some have a sequel."""

    __tablename__ = "conformance_library_books"

    kind: Mapped[str] = mapped_column(String(20), default="book")
    title: Mapped[str] = mapped_column()
    meta: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, default=dict)
    binding: Mapped[Binding] = mapped_column(
        value_enum(Binding, "conformance_library_binding"), default=Binding.SOFT
    )
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    twice: Mapped[Decimal | None] = mapped_column(Numeric(11, 2), Computed("price * 2"))
    words: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    printed_on: Mapped[date | None]
    borrowed_at: Mapped[datetime | None]
    minutes: Mapped[int | None]
    version: Mapped[int] = mapped_column()
    writer_id: Mapped[Id | None] = mapped_column(
        ForeignKey("conformance_library_writers.id", ondelete="SET NULL"), index=True
    )
    sequel_of_id: Mapped[Id | None] = mapped_column(
        ForeignKey("conformance_library_books.id", ondelete="SET NULL"), index=True
    )

    writer: Mapped[LibraryWriter | None] = relationship(back_populates="books")
    sequel_of: Mapped["LibraryBook | None"] = relationship(
        remote_side="LibraryBook.id", back_populates="sequels"
    )
    sequels: Mapped[list["LibraryBook"]] = relationship(
        back_populates="sequel_of", order_by="LibraryBook.title", passive_deletes=True
    )
    subjects: Mapped[list[LibrarySubject]] = relationship(
        secondary=subjects, order_by="LibrarySubject.name"
    )
    reviews: Mapped[list["LibraryReview"]] = relationship(
        back_populates="book",
        order_by="LibraryReview.id",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )

    # An entity loads both columns as well, in SQL.
    loud: Mapped[str] = column_property(func.upper(title, type_=String))

    @hybrid_property
    def label(self) -> str:
        """A hybrid attribute with the same expression in Python and in SQL."""
        return self.kind + ": " + self.title

    @hybrid_property
    def stars(self) -> int:
        """A hybrid attribute whose SQL expression reads related rows."""
        return sum(review.stars for review in self.reviews)

    @stars.inplace.expression
    @classmethod
    def _stars(cls) -> ColumnElement[int]:
        total = select(func.coalesce(func.sum(LibraryReview.stars), 0))
        reviews = total.where(LibraryReview.book_id == cls.id).correlate_except(LibraryReview)
        return reviews.scalar_subquery()

    __mapper_args__ = {  # noqa: RUF012 - SQLAlchemy's syntax
        "polymorphic_on": "kind",
        "polymorphic_identity": "book",
        "version_id_col": version,
    }


class LibraryAudioBook(LibraryBook):
    """A single-table subclass of a book."""

    __mapper_args__ = {"polymorphic_identity": "audio"}  # noqa: RUF012 - SQLAlchemy's syntax


class LibraryReview(Model):
    """A review of a book, and the base of a joined-table inheritance."""

    __tablename__ = "conformance_library_reviews"

    kind: Mapped[str] = mapped_column(String(20))
    stars: Mapped[int] = mapped_column("star_count")
    book_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_library_books.id", ondelete="CASCADE"), index=True
    )
    book: Mapped[LibraryBook] = relationship(back_populates="reviews")

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "short"}  # noqa: RUF012 - SQLAlchemy's syntax


class LibraryEssay(LibraryReview):
    """A joined-table subclass of a review."""

    __tablename__ = "conformance_library_essays"

    id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_library_reviews.id", ondelete="CASCADE"), primary_key=True
    )
    text: Mapped[str]
    written_in: Mapped[list[Binding]] = mapped_column(
        ARRAY(value_enum(Binding, "conformance_library_binding")), default=list
    )

    @hybrid_property
    def length(self) -> int:
        """A hybrid attribute on a column of the subclass."""
        return len(self.text)

    @length.inplace.expression
    @classmethod
    def _length(cls) -> ColumnElement[int]:
        return func.char_length(cls.text)

    __mapper_args__ = {"polymorphic_identity": "essay"}  # noqa: RUF012 - SQLAlchemy's syntax


class LibraryShelf(Base):
    """A model with a composite primary key."""

    __tablename__ = "conformance_library_shelves"

    room: Mapped[str] = mapped_column(String(10), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    copies: Mapped[list["LibraryCopy"]] = relationship(
        back_populates="shelf", order_by="LibraryCopy.label", passive_deletes=True
    )


class LibraryCopy(TimestampedModel):
    """A copy of a book, on a shelf."""

    __tablename__ = "conformance_library_copies"
    __table_args__ = (
        ForeignKeyConstraint(
            ["room", "shelf_number"],
            ["conformance_library_shelves.room", "conformance_library_shelves.number"],
            ondelete="CASCADE",
        ),
        Index(None, "room", "shelf_number"),
    )

    label: Mapped[str]
    room: Mapped[str | None] = mapped_column(String(10))
    shelf_number: Mapped[int | None]
    shelf: Mapped[LibraryShelf | None] = relationship(back_populates="copies")
