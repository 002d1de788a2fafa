"""Passwords are kept as Argon2 hashes."""

from asyncio import to_thread

from pwdlib import PasswordHash
from pydantic import SecretStr

_hasher = PasswordHash.recommended()


async def hash_password(password: SecretStr) -> str:
    """Hash in a thread: it takes tens of milliseconds, by design."""
    return await to_thread(_hasher.hash, password.get_secret_value())
