"""Business logic for users."""

from asyncio import to_thread
from datetime import datetime

from pwdlib import PasswordHash
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.users.models import Profile, User
from app.example.users.repository import USER_DETAIL, UserRepository
from app.example.users.schemas import ProfileIn, UserCreate
from app.kit.db.ids import Id
from app.kit.db.session import Database
from app.kit.errors.problems import NotFound
from app.kit.writes.bulk import CHUNK_SIZE, update_in_batches

_hasher = PasswordHash.recommended()


async def create_user(new: UserCreate, session: AsyncSession) -> User:
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
    user = await _lock_with_profile(user_id, session)
    profile = user.profile or Profile()
    user.profile = profile
    profile.bio = new.bio
    profile.website = new.website
    await session.flush()
    return profile


async def delete_profile(user_id: Id, session: AsyncSession) -> None:
    """Delete the profile of a user. Raises `NotFound` if there is none."""
    user = await _lock_with_profile(user_id, session)
    if user.profile is None:
        raise NotFound(f"User {user_id} has no profile.")
    user.profile = None
    await session.flush()


async def deactivate_users(database: Database, idle_since: datetime, size: int = CHUNK_SIZE) -> int:
    """Deactivate users without updates or posts since `idle_since`. Return their number."""
    return await update_in_batches(
        database,
        User,
        User.is_active.is_(True),
        User.updated_at < idle_since,
        ~User.posts.any(Post.created_at >= idle_since),
        values={"is_active": False},
        size=size,
    )


async def hash_password(password: SecretStr) -> str:
    """Return the hash of a password. Hashing takes tens of milliseconds, so it runs in a thread."""
    return await to_thread(_hasher.hash, password.get_secret_value())


async def _lock_with_profile(user_id: Id, session: AsyncSession) -> User:
    # A concurrent request for the same profile waits for this lock. `USER_DETAIL` reads the
    # profile in a second statement, which sees the changes of the request that had the lock.
    return await UserRepository(session).get(user_id, *USER_DETAIL, for_update=True)
