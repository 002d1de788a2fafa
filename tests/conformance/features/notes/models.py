"""A minimal model."""

from sqlalchemy.orm import Mapped

from app.kit.db.deletion import Entity


class Note(Entity):
    """A note."""

    __tablename__ = "conformance_notes"

    title: Mapped[str]
