"""A minimal model."""

from sqlalchemy.orm import Mapped

from app.kit.db.deletion import Model


class Note(Model):
    """A note."""

    __tablename__ = "conformance_notes"

    title: Mapped[str]
