"""Endpoint that restores soft-deleted users."""

from fastapi import APIRouter

from app.example.users.models import User
from app.example.users.repository import USER_OUT
from app.example.users.schemas import UserOut
from app.kit.db.ids import Id
from app.kit.db.restoring import restore
from app.kit.db.session import SessionDep
from app.kit.errors import problems

router = APIRouter(prefix="/users", tags=["users"])


@router.post("/{user_id}/restore", response_model=UserOut, responses=problems(404, 409))
async def restore_user(user_id: Id, session: SessionDep) -> User:
    """Restore a deleted user, and the posts that were deleted with the user."""
    return await restore(session, User, user_id, *USER_OUT)
