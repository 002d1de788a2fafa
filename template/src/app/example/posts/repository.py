"""Queries for posts."""

from sqlalchemy import Select, or_
from sqlalchemy.orm import selectinload

from app.example.posts.models import Post
from app.example.posts.schemas import PostFilter, PostOut, PostSort
from app.example.tags.models import Tag
from app.kit.queries.repository import Repository, load_options
from app.kit.queries.sorting import order_by
from app.kit.queries.view import View

POSTS = View(PostOut, Post)
# Load options for a post that is updated and then returned as `PostOut`. Not `joinedload`: if
# `for_update` waits for a transfer of the post, it does not find the new author.
POST_OUT = load_options(selectinload(Post.author), selectinload(Post.tags))

SORT_ORDERS = {
    PostSort.NEWEST: order_by(Post.created_at.desc(), tiebreaker=Post.id),
    PostSort.OLDEST: order_by(Post.created_at.asc(), tiebreaker=Post.id),
    PostSort.TITLE: order_by(Post.title.asc(), tiebreaker=Post.id),
    PostSort.PUBLISHED: order_by(
        Post.published_at.desc().nulls_last(), Post.title.asc(), tiebreaker=Post.id
    ),
}


class PostRepository(Repository[Post]):
    """Repository of posts."""

    model = Post


def matching(query: PostFilter) -> Select[Post]:
    """Return a SELECT of the posts that match the filters, in the requested order."""
    statement = POSTS.select().order_by(*SORT_ORDERS[query.sort].clauses)
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
        # EXISTS, not a join: it returns each post once, even if a condition matches several tags.
        statement = statement.where(Post.tags.any(Tag.name == query.tag))
    return statement
