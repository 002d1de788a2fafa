"""The base of all models."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, MetaData, Text, func
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.kit.db.ids import PrimaryKey


def now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


class Base(AsyncAttrs, DeclarativeBase):
    """Names every constraint, so that migrations and error messages can name them too."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: DateTime(timezone=True), str: Text()}


class Record(Base):
    """A row with a key and its times; deleting it removes the row."""

    __abstract__ = True

    id: Mapped[PrimaryKey]
    created_at: Mapped[datetime] = mapped_column(default=now, server_default=func.now())
    # Set by the client on update as well, so that reading it afterwards needs no refresh.
    updated_at: Mapped[datetime] = mapped_column(
        default=now, onupdate=now, server_default=func.now()
    )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__dict__.get('id', 'new')}>"
