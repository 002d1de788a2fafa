"""Posts: each by one user, filed under any number of tags."""

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.example.tags.models import Tag
from app.example.users.models import User
from app.kit.db.base import Base
from app.kit.db.deletion import Entity
from app.kit.db.ids import Id
from app.kit.db.relation import relation


class Post(Entity):
    """Something a user wrote."""

    __tablename__ = "posts"
    # Lists are ordered by these two; the key breaks ties.
    __table_args__ = (Index(None, "created_at", "id"),)

    author_id: Mapped[Id] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(default="", server_default="")

    author: Mapped[User] = relation(back_populates="posts")
    tags: Mapped[list[Tag]] = relation(
        secondary="post_tags", back_populates="posts", order_by=Tag.name, passive_deletes=True
    )


class PostTag(Base):
    """That a post is filed under a tag."""

    __tablename__ = "post_tags"

    # The primary key finds the tags of a post; the index finds the posts of a tag.
    post_id: Mapped[Id] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )
    tag_id: Mapped[Id] = mapped_column(
        ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True, index=True
    )
