"""A model whose columns change their types while processes are running."""

from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.deletion import Entity
from app.kit.db.enums import stored_by_value


class Grade(StrEnum):
    """A quality grade."""

    FINE = "fine"
    COARSE = "coarse"


class Sample(Entity):
    """A sample."""

    __tablename__ = "conformance_samples"

    label: Mapped[str] = mapped_column(String(20))
    weight: Mapped[int]
    grade: Mapped[Grade] = mapped_column(stored_by_value(Grade, "conformance_mark"))
