"""What the API takes and gives for users."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, EmailStr, Field, SecretStr

from app.kit.db.ids import Id
from app.kit.page import PageQuery
from app.kit.schemas import Changes, Input, Line, LongText, Output, SearchText, omittable

LATEST_POSTS = 20

# Stored in lower case, so that one address is one user however it is typed.
Email = Annotated[EmailStr, AfterValidator(str.lower), Field(examples=["ada@example.org"])]
Name = Annotated[Line, Field(examples=["Ada Lovelace"])]
Password = Annotated[SecretStr, Field(min_length=8, max_length=128, examples=["poetical science"])]


class ProfileIn(Input):
    """A whole profile, as it should be from now on."""

    bio: LongText = Field("", examples=["Writes programs for engines that are yet to be built."])
    website: Line | None = Field(None, examples=["https://example.org/ada"])


class UserCreate(Input):
    """A new user, with a profile if there is one already."""

    email: Email
    name: Name
    password: Password
    profile: ProfileIn | None = None


class UserChanges(Changes):
    """What may change about a user."""

    email: Email = omittable()
    name: Name = omittable()
    is_active: bool = omittable()


class UserSort(StrEnum):
    """The orders in which users can be listed."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"


class UserQuery(PageQuery):
    """Which users to list, and in which order."""

    q: SearchText | None = Field(None, description="Part of the name or email address")
    is_active: bool | None = None
    sort: UserSort = UserSort.NEWEST


class ProfileOut(Output):
    """A profile."""

    bio: str
    website: str | None


class UserOut(Output):
    """A user, without relations."""

    id: Id
    email: str
    name: str
    is_active: bool
    created_at: datetime
    updated_at: datetime


class UserDetail(UserOut):
    """A user with their profile."""

    profile: ProfileOut | None


class PostSummary(Output):
    """A post in few words."""

    id: Id
    title: str
    published_at: datetime | None
    created_at: datetime


class UserOverview(Output):
    """A user with their profile and the newest of their posts."""

    user: UserDetail
    latest_posts: list[PostSummary] = Field(
        max_length=LATEST_POSTS, description="The newest first; `GET /posts?author_id=` has all"
    )
