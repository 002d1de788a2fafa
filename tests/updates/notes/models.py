"""Models of notes."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.deletion import Entity, unique_live


class Note(Entity):
    """A note with a unique title."""

    __tablename__ = "notes"
    __table_args__ = (unique_live("title"),)

    title: Mapped[str] = mapped_column(String(100))
    body: Mapped[str]
