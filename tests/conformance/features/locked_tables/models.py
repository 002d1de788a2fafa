"""Two tables. A test locks the first and reads the second."""

from sqlalchemy.orm import Mapped

from app.kit.db.deletion import Model


class Locked(Model):
    """A row of a table that a migration locks."""

    __tablename__ = "conformance_locked"

    name: Mapped[str]


class Unlocked(Model):
    """A row of the table that is not locked."""

    __tablename__ = "conformance_unlocked"

    name: Mapped[str]
