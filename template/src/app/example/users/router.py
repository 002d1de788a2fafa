"""Endpoints for users and their profiles."""

from typing import Annotated

from fastapi import APIRouter, Query, status

from app.example.users import service
from app.example.users.models import Profile, User
from app.example.users.repository import (
    USER_DETAILS,
    USERS,
    UserRepository,
    matching,
    overview,
)
from app.example.users.schemas import (
    ProfileIn,
    ProfileOut,
    UserChanges,
    UserCreate,
    UserDetail,
    UserOut,
    UserOverview,
    UserQuery,
)
from app.kit.db.deletion import DELETE_ERRORS
from app.kit.db.ids import Id
from app.kit.db.session import DatabaseDep, SessionDep
from app.kit.errors import problems
from app.kit.page import Page, Slice

router = APIRouter(prefix="/users", tags=["users"])


@router.post(
    "", status_code=status.HTTP_201_CREATED, response_model=UserDetail, responses=problems(409)
)
async def create_user(new: UserCreate, session: SessionDep) -> User:
    """Create a user, optionally with a profile."""
    return await service.register_user(new, session)


@router.get("", response_model=Page[UserOut])
async def list_users(query: Annotated[UserQuery, Query()], db: DatabaseDep) -> Slice[UserOut]:
    """List users by offset, with the total count."""
    return await USERS.page(db, query, matching(query))


@router.get("/{user_id}", response_model=UserDetail, responses=problems(404))
async def read_user(user_id: Id, db: DatabaseDep) -> UserDetail:
    """Return a user with their profile."""
    return await USER_DETAILS.get(db, user_id)


@router.get("/{user_id}/overview", response_model=UserOverview, responses=problems(404))
async def read_user_overview(user_id: Id, db: DatabaseDep) -> UserOverview:
    """Return a user with their profile and latest posts."""
    return await overview(db, user_id)


@router.patch("/{user_id}", response_model=UserOut, responses=problems(404, 409))
async def update_user(user_id: Id, changes: UserChanges, db: DatabaseDep) -> UserOut:
    """Update the fields that are sent. The other fields keep their values."""
    return await USERS.update(db, user_id, changes)


@router.delete(
    "/{user_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(*DELETE_ERRORS)
)
async def delete_user(user_id: Id, session: SessionDep) -> None:
    """Delete a user and their posts."""
    await UserRepository(session).delete(user_id)


@router.put("/{user_id}/profile", response_model=ProfileOut, responses=problems(404))
async def replace_profile(user_id: Id, profile: ProfileIn, session: SessionDep) -> Profile:
    """Create or replace the profile of a user."""
    return await service.replace_profile(user_id, profile, session)


@router.delete(
    "/{user_id}/profile", status_code=status.HTTP_204_NO_CONTENT, responses=problems(404)
)
async def delete_profile(user_id: Id, session: SessionDep) -> None:
    """Delete the profile of a user."""
    await service.remove_profile(user_id, session)
