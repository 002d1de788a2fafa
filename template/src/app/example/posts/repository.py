"""Queries for posts."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ARRAY, Select, any_, literal, or_, select
from sqlalchemy.orm import joinedload, selectinload

from app.example.posts.models import Post
from app.example.posts.schemas import PostFilter, PostOut, PostSort
from app.example.tags.models import Tag
from app.kit.db.batches import delete_batch
from app.kit.db.bulk import CHUNK
from app.kit.db.ids import Id
from app.kit.db.plan import plan
from app.kit.db.repository import Repository
from app.kit.db.sorting import order
from app.kit.queries.view import View

POSTS = View(PostOut, Post)
# Load options for a post that is updated and then returned as `PostOut`.
POST_OUT = plan(joinedload(Post.author), selectinload(Post.tags))

ORDERS = {
    PostSort.NEWEST: order(Post.id, Post.created_at.desc()),
    PostSort.OLDEST: order(Post.id, Post.created_at.asc()),
    PostSort.TITLE: order(Post.id, Post.title.asc()),
    PostSort.PUBLISHED: order(Post.id, Post.published_at.desc().nulls_last(), Post.title.asc()),
}


class PostRepository(Repository[Post]):
    """Repository of posts."""

    model = Post

    async def delete_old(
        self, before: datetime, after: Id | None = None, size: int = CHUNK
    ) -> list[Id]:
        """Delete one batch of the posts not updated since `before`. Return their ids."""
        old = Post.updated_at < before
        return await delete_batch(self.session, Post, old, after=after, size=size)

    async def lock(self, keys: Collection[Id]) -> None:
        """Lock these posts FOR UPDATE."""
        wanted = Post.id == any_(literal(list(keys), ARRAY(Post.id.type)))
        # All transactions lock rows in the order of their ids, which prevents deadlocks.
        await self.session.execute(
            select(Post.id).where(wanted).order_by(Post.id).with_for_update()
        )


def matching(query: PostFilter) -> Select[Post]:
    """Return a SELECT of the posts that match the filters, in the requested order."""
    statement = POSTS.select().order_by(*ORDERS[query.sort].clauses)
    if query.q is not None:
        statement = statement.where(
            or_(
                Post.title.icontains(query.q, autoescape=True),
                Post.body.icontains(query.q, autoescape=True),
            )
        )
    if query.author_id is not None:
        statement = statement.where(Post.author_id == query.author_id)
    if query.tag is not None:
        # EXISTS, not a join: a join could return a post twice and count it twice.
        statement = statement.where(Post.tags.any(Tag.name == query.tag))
    return statement
