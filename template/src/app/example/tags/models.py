"""Tags of posts."""

from typing import TYPE_CHECKING

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import Record
from app.kit.db.relation import relation

if TYPE_CHECKING:
    from app.example.posts.models import Post


class Tag(Record):
    """A tag of posts. Tags are deleted permanently."""

    __tablename__ = "tags"

    name: Mapped[str] = mapped_column(String(50), unique=True)

    posts: Mapped[list["Post"]] = relation(
        secondary="post_tags", back_populates="tags", passive_deletes=True
    )
