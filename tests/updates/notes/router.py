"""Endpoints for notes."""

from typing import Annotated

from fastapi import APIRouter, Query, status

from app.features.notes.models import Note
from app.features.notes.repository import Notes
from app.features.notes.schemas import NoteCreate, NoteOut
from app.kit.db.ids import Id
from app.kit.errors import problems
from app.kit.page import Page, PageQuery, Slice

router = APIRouter(prefix="/notes", tags=["notes"])


@router.post(
    "", status_code=status.HTTP_201_CREATED, response_model=NoteOut, responses=problems(409)
)
async def take_note(new: NoteCreate, notes: Notes) -> Note:
    """Create a note."""
    return await notes.add(Note(title=new.title, body=new.body))


@router.get("", response_model=Page[NoteOut])
async def list_notes(query: Annotated[PageQuery, Query()], notes: Notes) -> Slice[Note]:
    """List the notes by title."""
    return await notes.all(query)


@router.get("/{note_id}", response_model=NoteOut, responses=problems(404))
async def read_note(note_id: Id, notes: Notes) -> Note:
    """Read a note."""
    return await notes.get(note_id)


@router.delete("/{note_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(404))
async def delete_note(note_id: Id, notes: Notes) -> None:
    """Delete a note."""
    await notes.delete(note_id)
