"""Password hashing with Argon2."""

from asyncio import to_thread

from pwdlib import PasswordHash
from pydantic import SecretStr

_hasher = PasswordHash.recommended()


async def hash_password(password: SecretStr) -> str:
    """Return the hash of a password. Hashing takes tens of milliseconds, so it runs in a thread."""
    return await to_thread(_hasher.hash, password.get_secret_value())
