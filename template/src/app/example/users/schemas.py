"""Request and response bodies for users."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, EmailStr, Field, SecretStr

from app.kit.db.ids import Id
from app.kit.http.schemas import (
    LongStr,
    PatchModel,
    RequestModel,
    ResponseModel,
    SearchStr,
    ShortStr,
    optional_field,
)
from app.kit.queries.pagination import PageQuery

LATEST_POSTS = 20

# Converted to lower case: addresses that differ only in case belong to the same user.
Email = Annotated[EmailStr, AfterValidator(str.lower), Field(examples=["ada@example.org"])]
Name = Annotated[ShortStr, Field(examples=["Ada Lovelace"])]
Password = Annotated[SecretStr, Field(min_length=8, max_length=128, examples=["poetical science"])]


class ProfileIn(RequestModel):
    """A complete profile. It replaces the existing one."""

    bio: LongStr = Field("", examples=["Writes programs for engines that are yet to be built."])
    website: ShortStr | None = Field(None, examples=["https://example.org/ada"])


class UserCreate(RequestModel):
    """A new user, optionally with a profile."""

    email: Email
    name: Name
    password: Password
    profile: ProfileIn | None = None


class UserChanges(PatchModel):
    """Fields of a user to update."""

    email: Email = optional_field()
    name: Name = optional_field()
    is_active: bool = optional_field()


class UserSort(StrEnum):
    """Sort order of users."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"


class UserQuery(PageQuery):
    """Query parameters of the list of users."""

    q: SearchStr | None = Field(None, description="Part of the name or email address")
    is_active: bool | None = None
    sort: UserSort = UserSort.NEWEST


class ProfileOut(ResponseModel):
    """A profile."""

    bio: str
    website: str | None


class UserOut(ResponseModel):
    """A user without their profile and posts."""

    id: Id
    email: str
    name: str
    is_active: bool
    created_at: datetime
    updated_at: datetime


class UserDetail(UserOut):
    """A user with their profile."""

    profile: ProfileOut | None


class PostSummary(ResponseModel):
    """A post without its body."""

    id: Id
    title: str
    published_at: datetime | None
    created_at: datetime


class UserOverview(ResponseModel):
    """A user with their profile and latest posts."""

    user: UserDetail
    latest_posts: list[PostSummary] = Field(
        max_length=LATEST_POSTS, description="Newest first. `GET /posts?author_id=` lists all."
    )
