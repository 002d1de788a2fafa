"""Two tables, one of which is locked while the other is read."""

from sqlalchemy.orm import Mapped

from app.kit.db.deletion import Entity


class Locked(Entity):
    """A row of a table that a migration locks."""

    __tablename__ = "conformance_locked"

    name: Mapped[str]


class Unlocked(Entity):
    """A row of another table."""

    __tablename__ = "conformance_unlocked"

    name: Mapped[str]
