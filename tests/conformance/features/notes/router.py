"""Note endpoints."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter

from app.kit.db.ids import Id
from app.kit.db.repository import Repository, provided
from tests.conformance.features.notes.models import Note
from tests.conformance.features.notes.schemas import NoteIn, NoteOut


class NoteRepository(Repository[Note]):
    """Notes."""

    model = Note


Notes = Annotated[NoteRepository, provided(NoteRepository)]

router = APIRouter(prefix="/conformance/notes", tags=["conformance"])


@router.post("", status_code=HTTPStatus.CREATED, response_model=NoteOut)
async def create_conformance_note(note: NoteIn, notes: Notes) -> Note:
    """Create a note."""
    return await notes.add(Note(title=note.title))


@router.get("/{note_id}", response_model=NoteOut)
async def get_conformance_note(note_id: Id, notes: Notes) -> Note:
    """Return a note."""
    return await notes.get(note_id)
