"""Tags of posts."""

from typing import TYPE_CHECKING

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import TimestampedModel
from app.kit.db.relationships import relationship

if TYPE_CHECKING:
    from app.example.posts.models import Post


class Tag(TimestampedModel):
    """A tag of posts. Tags are deleted permanently."""

    __tablename__ = "tags"

    name: Mapped[str] = mapped_column(String(50), unique=True)

    posts: Mapped[list["Post"]] = relationship(
        secondary="post_tags", back_populates="tags", passive_deletes=True
    )
