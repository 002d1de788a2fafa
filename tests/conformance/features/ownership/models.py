"""Models that own rows through every kind of relationship."""

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Table, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import Base
from app.kit.db.deletion import Model
from app.kit.db.ids import Id
from app.kit.db.relationships import relationship


class Address(Model):
    """The address of a writer, who owns it through a many-to-one relationship."""

    __tablename__ = "conformance_addresses"

    city: Mapped[str]


class Writer(Model):
    """A writer, with the foreign key to the address."""

    __tablename__ = "conformance_writers"

    name: Mapped[str]
    address_id: Mapped[Id | None] = mapped_column(
        ForeignKey("conformance_addresses.id", ondelete="RESTRICT"), index=True
    )

    address: Mapped[Address | None] = relationship(cascade="all, delete-orphan", single_parent=True)


class Remark(Model):
    """A remark on an article or a photo: a polymorphic association without foreign key."""

    __tablename__ = "conformance_remarks"

    target_id: Mapped[Id] = mapped_column(index=True)
    target_kind: Mapped[str]


class Article(Model):
    """An article with its remarks."""

    __tablename__ = "conformance_articles"

    remarks: Mapped[list[Remark]] = relationship(
        primaryjoin="and_(Article.id == foreign(Remark.target_id),"
        " Remark.target_kind == 'article')",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )


class Region(Model):
    """A region, identified by two columns."""

    __tablename__ = "conformance_regions"
    __table_args__ = (UniqueConstraint("tenant", "code"),)

    tenant: Mapped[int]
    code: Mapped[str]

    shops: Mapped[list["Shop"]] = relationship(
        back_populates="region", cascade="all, delete-orphan", passive_deletes=True
    )


class Shop(Model):
    """A shop, with a composite foreign key and a version counter."""

    __tablename__ = "conformance_shops"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant", "region_code"],
            ["conformance_regions.tenant", "conformance_regions.code"],
            ondelete="CASCADE",
        ),
    )

    # Declared after other columns: a composite foreign key can have any position.
    tenant: Mapped[int]
    region_code: Mapped[str]
    version: Mapped[int] = mapped_column()

    region: Mapped[Region] = relationship(back_populates="shops")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's syntax


class Folder(Model):
    """A folder inside a folder: a self-referential relationship."""

    __tablename__ = "conformance_folders"

    parent_id: Mapped[Id | None] = mapped_column(
        ForeignKey("conformance_folders.id", ondelete="CASCADE"), index=True
    )

    parent: Mapped["Folder | None"] = relationship(
        back_populates="children", remote_side="Folder.id"
    )
    children: Mapped[list["Folder"]] = relationship(
        back_populates="parent", cascade="all, delete-orphan", passive_deletes=True
    )


class Track(Model):
    """A track of a playlist."""

    __tablename__ = "conformance_tracks"

    title: Mapped[str]


playlist_tracks = Table(
    "conformance_playlist_tracks",
    Base.metadata,
    Column(
        "playlist_id",
        ForeignKey("conformance_playlists.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column(
        "track_id",
        ForeignKey("conformance_tracks.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)


class Playlist(Model):
    """A playlist that owns its tracks through a secondary table."""

    __tablename__ = "conformance_playlists"

    tracks: Mapped[list[Track]] = relationship(
        secondary=playlist_tracks, cascade="all, delete", passive_deletes=True
    )


class Account(Model):
    """An account, referenced by its name."""

    __tablename__ = "conformance_accounts"

    name: Mapped[str] = mapped_column("account_name", unique=True)

    logins: Mapped[list["Login"]] = relationship(
        back_populates="account", cascade="all, delete-orphan", passive_deletes=True
    )
    badge: Mapped["Badge | None"] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class Login(Model):
    """A login of an account; its foreign key references the account's name."""

    __tablename__ = "conformance_logins"

    account_name: Mapped[str] = mapped_column(
        ForeignKey("conformance_accounts.account_name", ondelete="CASCADE"), index=True
    )

    account: Mapped[Account] = relationship(back_populates="logins")


class Badge(Model):
    """The badge of an account: one-to-one, without a relationship back."""

    __tablename__ = "conformance_badges"

    account_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_accounts.id", ondelete="CASCADE"), index=True
    )
