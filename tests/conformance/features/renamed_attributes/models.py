"""Attributes whose names differ from their columns, JSON documents and computed columns."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import CheckConstraint, Computed, FetchedValue, ForeignKey, func, literal
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import Mapped, column_property, mapped_column

from app.kit.db.base import Base, TimestampedModel, utc_now
from app.kit.db.ids import Id
from app.kit.db.relationships import relationship


class Size(BaseModel):
    """The value of a JSON column."""

    width: int
    height: int


class Parcel(TimestampedModel):
    """A model with one column of each kind."""

    __tablename__ = "conformance_parcels"
    __table_args__ = (CheckConstraint("grams > 0", name="grams"),)

    code: Mapped[str] = mapped_column("parcel_code", unique=True)
    meta: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)
    size: Mapped[dict[str, Any] | None] = mapped_column("dimensions", MutableDict.as_mutable(JSONB))
    sizes: Mapped[list[Any] | None] = mapped_column(JSONB)
    weight: Mapped[int] = mapped_column("grams", default=1)
    kilos: Mapped[int] = mapped_column("kg", Computed("grams / 1000", persisted=True))
    edits: Mapped[int] = mapped_column(
        "edit_count", server_default="0", server_onupdate=FetchedValue()
    )
    barcode: Mapped[str | None] = mapped_column("ean", unique=True)
    touched: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    checked: Mapped[datetime | None] = mapped_column("checked_at", onupdate=utc_now)
    checks: Mapped[int | None] = mapped_column("check_count", onupdate=literal(1) + 1)
    checker: Mapped[str | None] = mapped_column("checked_by", onupdate="upsert")
    revision: Mapped[int] = mapped_column("row_version")

    stamps: Mapped[list["Stamp"]] = relationship(
        back_populates="parcel",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="Stamp.number",
    )

    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 - SQLAlchemy's syntax


class Stamp(Base):
    """A stamp on a parcel; its primary key is not named `id`."""

    __tablename__ = "conformance_stamps"

    number: Mapped[int] = mapped_column("stamp_number", primary_key=True)
    parcel_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_parcels.id", ondelete="CASCADE"), index=True
    )
    text: Mapped[str] = mapped_column("stamp_text")
    parcel: Mapped[Parcel] = relationship(back_populates="stamps")


class Crate(TimestampedModel):
    """A model without a version column, for inserts in one statement."""

    __tablename__ = "conformance_crates"

    code: Mapped[str] = mapped_column("crate_code", unique=True)
    meta: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)
    weight: Mapped[int] = mapped_column("grams", default=7)
    kilos: Mapped[int] = mapped_column("kg", Computed("grams * 2", persisted=True))
    # A SQL expression, which no statement writes.
    tons: Mapped[int] = column_property(weight // 1_000_000)
