"""Models with ON DELETE CASCADE foreign keys, but without relationships that own the rows."""

from sqlalchemy import ForeignKey, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import TimestampedModel
from app.kit.db.deletion import Model
from app.kit.db.ids import Id


class Depot(Model):
    """The target of every other model's foreign key, once by two columns."""

    __tablename__ = "conformance_depots"
    __table_args__ = (UniqueConstraint("area", "code"),)

    area: Mapped[int] = mapped_column(default=1)
    code: Mapped[str]
    inside_id: Mapped[Id | None] = mapped_column(
        ForeignKey("conformance_depots.id", ondelete="CASCADE"), index=True
    )


class Freight(Model):
    """The base of a joined-table inheritance."""

    __tablename__ = "conformance_freights"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "freight"}  # noqa: RUF012 - SQLAlchemy's syntax

    kind: Mapped[str]


class Pallet(Freight):
    """References a depot by a composite foreign key, from a table without `deleted_at`."""

    __tablename__ = "conformance_pallets"
    __mapper_args__ = {"polymorphic_identity": "pallet"}  # noqa: RUF012 - SQLAlchemy's syntax
    __table_args__ = (
        ForeignKeyConstraint(
            ["d_area", "d_code"],
            ["conformance_depots.area", "conformance_depots.code"],
            ondelete="CASCADE",
        ),
    )

    id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_freights.id", ondelete="CASCADE"), primary_key=True
    )
    depot_area: Mapped[int] = mapped_column("d_area")
    depot_code: Mapped[str] = mapped_column("d_code")


class Item(Model):
    """References a subclass."""

    __tablename__ = "conformance_items"

    pallet_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_pallets.id", ondelete="CASCADE"), index=True
    )


class Label(TimestampedModel):
    """A row without soft delete; purging its depot removes it."""

    __tablename__ = "conformance_labels"

    depot_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_depots.id", ondelete="CASCADE"), index=True
    )


class Seal(Model):
    """References a depot, with the rule of the foreign key in lower case."""

    __tablename__ = "conformance_seals"

    depot_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_depots.id", ondelete="cascade"), index=True
    )


class Receipt(TimestampedModel):
    """References a depot by a foreign key that PostgreSQL checks at the commit."""

    __tablename__ = "conformance_receipts"

    depot_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_depots.id", deferrable=True, initially="DEFERRED"), index=True
    )


class Shipment(TimestampedModel):
    """A model without soft delete, with a composite primary key."""

    __tablename__ = "conformance_shipments"
    __table_args__ = (UniqueConstraint("no", "part"),)

    number: Mapped[int] = mapped_column("no")
    part: Mapped[int]
    depot_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_depots.id", ondelete="CASCADE"), index=True
    )
    after_id: Mapped[Id | None] = mapped_column(
        ForeignKey("conformance_shipments.id", ondelete="CASCADE"), index=True
    )


class Claim(Model):
    """References a depot through a row without soft delete."""

    __tablename__ = "conformance_claims"
    __table_args__ = (
        ForeignKeyConstraint(
            ["shipment_no", "shipment_part"],
            ["conformance_shipments.no", "conformance_shipments.part"],
            ondelete="CASCADE",
        ),
    )

    shipment_no: Mapped[int]
    shipment_part: Mapped[int]


class Crew(Model):
    """References its captain, who references the crew."""

    __tablename__ = "conformance_crews"

    captain_id: Mapped[Id | None] = mapped_column(
        ForeignKey("conformance_sailors.id", ondelete="CASCADE", use_alter=True), index=True
    )


class Sailor(Model):
    """References a crew, which may reference this sailor."""

    __tablename__ = "conformance_sailors"

    crew_id: Mapped[Id | None] = mapped_column(
        ForeignKey("conformance_crews.id", ondelete="CASCADE"), index=True
    )


class Medal(Model):
    """References the circle of crew and sailor from outside."""

    __tablename__ = "conformance_medals"

    sailor_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_sailors.id", ondelete="CASCADE"), index=True
    )
