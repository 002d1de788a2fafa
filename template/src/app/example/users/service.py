"""Business logic for users."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.example.users.models import Profile, User
from app.example.users.passwords import hash_password
from app.example.users.repository import USER_DETAIL, UserRepository
from app.example.users.schemas import ProfileIn, UserCreate
from app.kit.db.ids import Id
from app.kit.db.session import Database
from app.kit.errors.problems import NotFound
from app.kit.writes.batches import run_in_batches
from app.kit.writes.bulk import CHUNK_SIZE


async def register_user(new: UserCreate, session: AsyncSession) -> User:
    """Create a user, and their profile if one is given, in one transaction."""
    return await UserRepository(session).add(
        User(
            email=new.email,
            name=new.name,
            hashed_password=await hash_password(new.password),
            profile=Profile(**new.profile.model_dump()) if new.profile else None,
        )
    )


async def replace_profile(user_id: Id, new: ProfileIn, session: AsyncSession) -> Profile:
    """Create the profile of a user, or replace the existing one."""
    user = await UserRepository(session).get(user_id, *USER_DETAIL)
    user.profile = profile = user.profile or Profile()
    profile.bio = new.bio
    profile.website = new.website
    await session.flush()
    return profile


async def remove_profile(user_id: Id, session: AsyncSession) -> None:
    """Delete the profile of a user. Raises `NotFound` if there is none."""
    user = await UserRepository(session).get(user_id, *USER_DETAIL)
    if user.profile is None:
        raise NotFound(f"User {user_id} has no profile.")
    user.profile = None
    await session.flush()


async def deactivate_users(database: Database, idle_since: datetime, size: int = CHUNK_SIZE) -> int:
    """Deactivate users without updates and posts since `idle_since`. Return their number."""

    async def batch(session: AsyncSession, after: Id | None) -> list[Id]:
        return await UserRepository(session).deactivate(idle_since, after, size)

    return await run_in_batches(database, batch)
