"""Repository of notes."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy import select

from app.features.notes.models import Note
from app.kit.db.repository import Repository
from app.kit.db.session import SessionDep
from app.kit.page import PageQuery, Slice


class NoteRepository(Repository[Note]):
    """Queries of notes."""

    model = Note

    async def all(self, query: PageQuery) -> Slice[Note]:
        """Return one page of notes, sorted by title."""
        return await self.page(query, select(Note).order_by(Note.title))


async def note_repository(session: SessionDep) -> NoteRepository:
    """Return the repository of a request."""
    return NoteRepository(session)


Notes = Annotated[NoteRepository, Depends(note_repository)]
