"""Mappings that would return soft-deleted rows are rejected before the first query."""

from collections.abc import Generator

import pytest
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import Mapped, mapped_column, registry

from app.kit.db.base import TimestampedModel
from app.kit.db.deletion import Model
from app.kit.db.ids import Id, PrimaryKey
from app.kit.db.relationships import relationship


class Separate:
    """Keeps invalid models out of the service's registry."""

    _sa_registry = registry(metadata=MetaData())
    metadata = _sa_registry.metadata


@pytest.fixture(autouse=True)
def models() -> Generator[registry]:
    """The registry of the test's models."""
    yield Separate._sa_registry
    Separate._sa_registry.dispose()
    Separate.metadata.clear()


def test_soft_delete_in_subclass_only_is_rejected(models: registry) -> None:
    class Machine(Separate, TimestampedModel):
        __tablename__ = "machines"
        __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012 - SQLAlchemy's syntax
        kind: Mapped[str]

    class Robot(Machine, Model):
        __tablename__ = "robots"
        __mapper_args__ = {"polymorphic_identity": "robot"}  # noqa: RUF012 - SQLAlchemy's syntax
        id: Mapped[Id] = mapped_column(ForeignKey("machines.id"), primary_key=True)

    with pytest.raises(TypeError, match="Robot is a `Model`, but inherits from Machine"):
        models.configure()


def test_concrete_table_inheritance_is_rejected(models: registry) -> None:
    class Machine(Separate, Model):
        __tablename__ = "machines"

    class Robot(Machine):
        __tablename__ = "robots"
        __mapper_args__ = {"concrete": True}  # noqa: RUF012 - SQLAlchemy's syntax
        id: Mapped[PrimaryKey]

    with pytest.raises(TypeError, match=r"Robot: .* concrete table inheritance"):
        models.configure()


@pytest.mark.parametrize("viewonly", [False, True])
def test_soft_deleted_secondary_table_is_rejected(models: registry, viewonly: bool) -> None:
    class Team(Separate, TimestampedModel):
        __tablename__ = "teams"

    class Membership(Separate, Model):
        __tablename__ = "memberships"
        team_id: Mapped[Id] = mapped_column(ForeignKey("teams.id"))
        person_id: Mapped[Id] = mapped_column(ForeignKey("persons.id"))

    class Person(Separate, TimestampedModel):
        __tablename__ = "persons"
        teams: Mapped[list[Team]] = relationship(secondary="memberships", viewonly=viewonly)

    with pytest.raises(TypeError, match=r"Person.teams would follow deleted rows of Membership"):
        models.configure()


def test_secondary_table_that_excludes_deleted_rows_is_accepted(models: registry) -> None:
    class Team(Separate, Model):
        __tablename__ = "teams"

    class Membership(Separate, Model):
        __tablename__ = "memberships"
        team_id: Mapped[Id] = mapped_column(ForeignKey("teams.id"))
        person_id: Mapped[Id] = mapped_column(ForeignKey("persons.id"))

    class Person(Separate, Model):
        __tablename__ = "persons"
        teams: Mapped[list[Team]] = relationship(
            secondary="memberships",
            primaryjoin="and_(Person.id == Membership.person_id, Membership.deleted_at.is_(None))",
            viewonly=True,
        )

    models.configure()
