"""Finding and keeping posts."""

from typing import Annotated

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload, selectinload

from app.example.posts.models import Post
from app.example.posts.schemas import PostQuery
from app.example.tags.models import Tag
from app.kit.db.repository import Repository, provided
from app.kit.page import Slice

# What `PostOut` shows.
POST_OUT = (joinedload(Post.author), selectinload(Post.tags))


class PostRepository(Repository[Post]):
    """The posts of the service."""

    model = Post

    async def search(self, query: PostQuery) -> Slice[Post]:
        """One page of the posts that match, with author and tags, the newest first."""
        statement = select(Post).order_by(Post.created_at.desc())
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
            # EXISTS, in place of a join, keeps one row a post and the total right.
            statement = statement.where(Post.tags.any(Tag.name == query.tag))
        return await self.page(query, statement, *POST_OUT)


Posts = Annotated[PostRepository, provided(PostRepository)]
