"""Queries for users."""

from sqlalchemy import Select, or_
from sqlalchemy.orm import selectinload

from app.example.posts.models import Post
from app.example.users.models import User
from app.example.users.schemas import (
    LATEST_POSTS,
    PostSummary,
    UserDetail,
    UserOut,
    UserOverview,
    UserQuery,
    UserSort,
)
from app.kit.db.ids import Id
from app.kit.queries.repository import Repository, load_options
from app.kit.queries.sorting import order_by
from app.kit.queries.view import Connectable, View

USERS = View(UserOut, User)
USER_DETAILS = View(UserDetail, User)
POST_SUMMARIES = View(PostSummary, Post)
# Load options for a user that is updated and then returned as `UserOut` or `UserDetail`.
USER_OUT = load_options()
USER_DETAIL = load_options(selectinload(User.profile))

SORT_ORDERS = {
    UserSort.NEWEST: order_by(User.created_at.desc(), tiebreaker=User.id),
    UserSort.OLDEST: order_by(User.created_at.asc(), tiebreaker=User.id),
    UserSort.NAME: order_by(User.name.asc(), tiebreaker=User.id),
}
NEWEST_POSTS = order_by(Post.created_at.desc(), tiebreaker=Post.id)


class UserRepository(Repository[User]):
    """Repository of users."""

    model = User

    async def by_email(self, email: str) -> User | None:
        """Return the user with this email address, or None. Case is ignored."""
        return await self.get_one_or_none(User.email == email.lower())


async def overview(db: Connectable, user_id: Id) -> UserOverview:
    """Return a user with their profile and latest posts, or raise `NotFound`."""
    user = await USER_DETAILS.get(db, user_id)
    # A second statement, because a view loads all rows of a relationship, without a limit.
    posts = POST_SUMMARIES.select().where(Post.author_id == user_id).order_by(*NEWEST_POSTS.clauses)
    latest = await POST_SUMMARIES.list(db, posts.limit(LATEST_POSTS))
    return UserOverview(user=user, latest_posts=latest)


def matching(query: UserQuery) -> Select[User]:
    """Return a SELECT of the users that match the filters, in the requested order."""
    statement = USERS.select().order_by(*SORT_ORDERS[query.sort].clauses)
    if query.q is not None:
        statement = statement.where(
            or_(
                User.name.icontains(query.q, autoescape=True),
                User.email.icontains(query.q, autoescape=True),
            )
        )
    if query.is_active is not None:
        statement = statement.where(User.is_active == query.is_active)
    return statement
