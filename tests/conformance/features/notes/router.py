"""Note endpoints."""

from http import HTTPStatus

from fastapi import APIRouter

from app.kit.db.ids import Id
from app.kit.http.dependencies import SessionDep
from app.kit.queries.repository import Repository
from tests.conformance.features.notes.models import Note
from tests.conformance.features.notes.schemas import NoteIn, NoteOut


class NoteRepository(Repository[Note]):
    """Notes."""

    model = Note


router = APIRouter(prefix="/conformance/notes", tags=["conformance"])


@router.post("", status_code=HTTPStatus.CREATED, response_model=NoteOut)
async def create_conformance_note(note: NoteIn, session: SessionDep) -> Note:
    """Create a note."""
    return await NoteRepository(session).add(Note(title=note.title))


@router.get("/{note_id}", response_model=NoteOut)
async def get_conformance_note(note_id: Id, session: SessionDep) -> Note:
    """Return a note."""
    return await NoteRepository(session).get(note_id)
