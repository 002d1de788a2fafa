"""Finding and keeping users."""

from typing import Annotated

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from app.example.users.models import User
from app.example.users.schemas import UserQuery, UserSort
from app.kit.db.plan import plan
from app.kit.db.repository import Repository, provided
from app.kit.db.sorting import order
from app.kit.page import Slice

# What `UserOut` and `UserDetail` show.
USER_OUT = plan()
USER_DETAIL = plan(joinedload(User.profile))

ORDERS = {
    UserSort.NEWEST: order(User.id, User.created_at.desc()),
    UserSort.OLDEST: order(User.id, User.created_at.asc()),
    UserSort.NAME: order(User.id, User.name.asc()),
}


class UserRepository(Repository[User]):
    """The users of the service."""

    model = User

    async def by_email(self, email: str) -> User | None:
        """The user with this address, in whatever case it is given."""
        return await self.one_by(User.email == email.lower())

    async def search(self, query: UserQuery) -> Slice[User]:
        """One page of the users that match, and how many match."""
        statement = select(User).order_by(*ORDERS[query.sort].clauses)
        if query.q is not None:
            statement = statement.where(
                or_(
                    User.name.icontains(query.q, autoescape=True),
                    User.email.icontains(query.q, autoescape=True),
                )
            )
        if query.is_active is not None:
            statement = statement.where(User.is_active == query.is_active)
        return await self.page(query, statement, *USER_OUT)


Users = Annotated[UserRepository, provided(UserRepository)]
UsersToRead = Annotated[UserRepository, provided(UserRepository, read_only=True)]
