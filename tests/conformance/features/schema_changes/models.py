"""A model whose columns change their types while processes are running."""

from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import value_enum
from app.kit.db.deletion import Model


class Grade(StrEnum):
    """A quality grade."""

    FINE = "fine"
    COARSE = "coarse"


class Sample(Model):
    """A sample."""

    __tablename__ = "conformance_samples"

    label: Mapped[str] = mapped_column(String(20))
    weight: Mapped[int]
    grade: Mapped[Grade] = mapped_column(value_enum(Grade, "conformance_mark"))
