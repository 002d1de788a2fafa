"""Version columns that PostgreSQL cannot increment are rejected before the first query."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import MetaData
from sqlalchemy.orm import Mapped, mapped_column, registry

from app.kit.db.base import TimestampedModel, next_version


class Separate:
    """Keeps invalid models out of the service's registry."""

    _sa_registry = registry(metadata=MetaData())
    metadata = _sa_registry.metadata


def test_text_version_requires_server_side_generator() -> None:
    class Lot(Separate, TimestampedModel):
        __tablename__ = "lots"
        revision: Mapped[str] = mapped_column("rev")
        __mapper_args__ = {  # noqa: RUF012 - SQLAlchemy's syntax
            "version_id_col": revision,
            "version_id_generator": lambda _: uuid4().hex,
        }

    with pytest.raises(TypeError, match=r"Lot.revision: PostgreSQL cannot compute"):
        Separate._sa_registry.configure()
    Separate._sa_registry.dispose()


def test_uuid_and_server_side_versions_are_accepted() -> None:
    class Bid(Separate, TimestampedModel):
        __tablename__ = "bids"
        revision: Mapped[UUID] = mapped_column("rev")
        __mapper_args__ = {  # noqa: RUF012 - SQLAlchemy's syntax
            "version_id_col": revision,
            "version_id_generator": lambda _: uuid4(),
        }

    class Trade(Separate, TimestampedModel):
        __tablename__ = "trades"
        revision: Mapped[str] = mapped_column("rev")
        __mapper_args__ = {"version_id_col": revision, "version_id_generator": False}  # noqa: RUF012 - SQLAlchemy's syntax

    Separate._sa_registry.configure()
    assert [str(value) for value in next_version(Bid).values()] == ["gen_random_uuid()"]
    assert next_version(Trade) == {}
    Separate._sa_registry.dispose()
