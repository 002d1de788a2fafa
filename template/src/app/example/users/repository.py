"""Finding and keeping users."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import joinedload, load_only

from app.example.posts.models import Post
from app.example.users.models import User
from app.example.users.schemas import LATEST_POSTS, UserDetail, UserOut, UserQuery, UserSort
from app.kit.db.batches import update_batch
from app.kit.db.bulk import CHUNK
from app.kit.db.ids import Id
from app.kit.db.plan import plan
from app.kit.db.repository import Repository, provided
from app.kit.db.sorting import order
from app.kit.queries.view import View

USERS = View(UserOut, User)
USER_DETAILS = View(UserDetail, User)
# What `UserOut` and `UserDetail` show of a user that was loaded to be changed.
USER_OUT = plan()
USER_DETAIL = plan(joinedload(User.profile))
# What `PostSummary` shows: the texts of posts stay where they are.
POST_SUMMARY = plan(
    load_only(Post.title, Post.published_at, Post.created_at, raiseload=True),
)

ORDERS = {
    UserSort.NEWEST: order(User.id, User.created_at.desc()),
    UserSort.OLDEST: order(User.id, User.created_at.asc()),
    UserSort.NAME: order(User.id, User.name.asc()),
}


NEWEST_POSTS = order(Post.id, Post.created_at.desc())


@dataclass(frozen=True, slots=True)
class Overview:
    """What `UserOverview` shows."""

    user: User
    latest_posts: Sequence[Post]


class UserRepository(Repository[User]):
    """The users of the service."""

    model = User

    async def by_email(self, email: str) -> User | None:
        """The user with this address, in whatever case it is given."""
        return await self.one_by(User.email == email.lower())

    async def overview(self, key: Id) -> Overview:
        """A user with profile and, of their posts, the newest; or `NotFound`."""
        user = await self.get(key, *USER_DETAIL)
        # Of their own: a relation is loaded as a whole, and there is no end to what one may write.
        posts = select(Post).where(Post.author_id == key).order_by(*NEWEST_POSTS.clauses)
        latest = await self.session.scalars(posts.limit(LATEST_POSTS).options(*POST_SUMMARY))
        return Overview(user, latest.all())

    async def deactivate(
        self, idle_since: datetime, after: Id | None = None, size: int = CHUNK
    ) -> list[Id]:
        """Deactivate the next users who have neither changed nor written since; their keys."""
        return await update_batch(
            self.session,
            User,
            User.is_active.is_(True),
            User.updated_at < idle_since,
            ~User.posts.any(Post.created_at >= idle_since),
            values={"is_active": False},
            after=after,
            size=size,
        )


def matching(query: UserQuery) -> Select[User]:
    """The users that match, in the order of the query."""
    statement = USERS.select().order_by(*ORDERS[query.sort].clauses)
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


Users = Annotated[UserRepository, provided(UserRepository)]
UsersToRead = Annotated[UserRepository, provided(UserRepository, read_only=True)]
