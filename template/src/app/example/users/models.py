"""Users, each with at most one profile."""

from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, true
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import TimestampedModel
from app.kit.db.deletion import Model, unique_when_not_deleted
from app.kit.db.ids import Id
from app.kit.db.relationships import relationship

if TYPE_CHECKING:
    from app.example.posts.models import Post


class User(Model):
    """A user, who writes posts and places orders."""

    __tablename__ = "users"
    __table_args__ = (
        unique_when_not_deleted("email"),
        # One index per sort order. PostgreSQL can scan it in both directions. `id` breaks ties.
        Index(None, "created_at", "id"),
        Index(None, "name", "id"),
        CheckConstraint("email = lower(email)", name="email_is_lower_case"),
    )

    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(200))
    hashed_password: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())

    # Unidirectional: a profile is only read through its user.
    profile: Mapped["Profile | None"] = relationship(
        cascade="all, delete-orphan", passive_deletes=True
    )
    posts: Mapped[list["Post"]] = relationship(
        back_populates="author", cascade="all, delete-orphan", passive_deletes=True
    )


class Profile(TimestampedModel):
    """The profile of a user. Each user has at most one."""

    __tablename__ = "profiles"

    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    bio: Mapped[str] = mapped_column(default="", server_default="")
    website: Mapped[str | None] = mapped_column(String(200))
