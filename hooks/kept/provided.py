"""Repositories as dependencies, which 0.8.0 removes. Replace it: `NoteRepository(session)`."""

from typing import Any

from fastapi import Depends

from app.kit.http.dependencies import ReadSessionDep, SessionDep
from app.kit.queries.repository import Repository


def provided(repository: type[Repository[Any]], *, read_only: bool = False) -> Any:
    """Return a dependency on a repository with the session of the request."""

    async def build(session: SessionDep) -> Any:
        return repository(session)

    async def build_reading(session: ReadSessionDep) -> Any:
        return repository(session)

    return Depends(build_reading if read_only else build)
