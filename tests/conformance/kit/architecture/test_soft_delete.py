"""The architecture rules of soft delete detect their violations."""

from sqlalchemy import ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, registry, relationship

from app.kit.db.base import TimestampedModel
from app.kit.db.deletion import Model, unique_when_not_deleted
from app.kit.db.ids import Id
from tests.architecture.test_soft_delete import (
    required_references_to_soft_deletable_rows,
    soft_deletable_rows_with_hard_deleted_owner,
    unique_columns_with_deleted_rows,
)

SEPARATE = registry(metadata=MetaData())


class Separate:
    """Keeps models that violate the rules out of the service's registry."""

    _sa_registry = SEPARATE
    metadata = SEPARATE.metadata


class Shelf(Separate, TimestampedModel):
    __tablename__ = "kit_shelves"
    books: Mapped[list["Book"]] = relationship(cascade="all, delete-orphan")


class Book(Separate, Model):
    __tablename__ = "kit_books"
    __table_args__ = (
        unique_when_not_deleted("title"),
        UniqueConstraint("title", "year"),
        Index(None, "year", unique=True),
    )
    shelf_id: Mapped[Id] = mapped_column(ForeignKey("kit_shelves.id"), unique=True)
    title: Mapped[str]
    year: Mapped[int]
    isbn: Mapped[str] = mapped_column(unique=True)


class Copy(Separate, TimestampedModel):
    __tablename__ = "kit_copies"
    isbn: Mapped[str] = mapped_column(ForeignKey("kit_books.isbn"), unique=True)
    book: Mapped[Book] = relationship()


class Library:
    class Copy(Separate, TimestampedModel):
        """A model of another module with the same name."""

        __module__ = "library"
        __tablename__ = "kit_library_copies"
        book_id: Mapped[Id] = mapped_column(ForeignKey("kit_books.id"))
        book: Mapped[Book] = relationship()


def test_rules_detect_violations() -> None:
    assert unique_columns_with_deleted_rows(SEPARATE) == [
        "kit_books.shelf_id",
        "kit_books.title, kit_books.year",
        "kit_books.year",
    ]
    assert soft_deletable_rows_with_hard_deleted_owner(SEPARATE) == ["Shelf.books"]
    assert required_references_to_soft_deletable_rows(SEPARATE) == ["Copy.book", "Copy.book"]
