"""Posts, each with one author and any number of tags."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.example.tags.models import Tag
from app.example.users.models import User
from app.kit.db.base import Base
from app.kit.db.deletion import Entity
from app.kit.db.ids import Id
from app.kit.db.relation import relation
from app.kit.errors import FieldProblem, Invalid


class Post(Entity):
    """A post by a user. A draft has no `published_at`."""

    __tablename__ = "posts"
    # One index per sort order. PostgreSQL can scan it in both directions. `id` breaks ties.
    __table_args__ = (
        Index(None, "created_at", "id"),
        Index(None, "title", "id"),
        # The posts of an author, newest first. Also indexes the foreign key.
        Index(None, "author_id", "created_at", "id"),
        Index("ix_posts_published_at", text("published_at DESC NULLS LAST"), "title", "id"),
    )

    author_id: Mapped[Id] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(default="", server_default="")
    published_at: Mapped[datetime | None]

    # The author of a visible post always exists: deleting a user deletes their posts in the same
    # transaction, and creating a post locks its author until the commit.
    author: Mapped[User] = relation(back_populates="posts")
    tags: Mapped[list[Tag]] = relation(
        secondary="post_tags", back_populates="posts", order_by=Tag.name, passive_deletes=True
    )

    def hand_over(self, giver_id: Id, taker_id: Id) -> None:
        """Change the author. Raises `Invalid` if the post is not by `giver_id`."""
        if self.author_id != giver_id:
            problem = FieldProblem(field="post_ids", message=f"post {self.id} has another author")
            raise Invalid("Only the author of a post can transfer it.", problem)
        self.author_id = taker_id


class PostTag(Base):
    """Association of a post and a tag."""

    __tablename__ = "post_tags"

    # The primary key serves queries by post, the index serves queries by tag.
    post_id: Mapped[Id] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )
    tag_id: Mapped[Id] = mapped_column(
        ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True, index=True
    )
