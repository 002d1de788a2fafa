"""Request and response models of notes."""

from pydantic import Field

from app.kit.db.ids import Id
from app.kit.schemas import Input, Output


class NoteCreate(Input):
    """The request body of a new note."""

    title: str = Field(min_length=1, max_length=100)
    body: str = Field(max_length=10_000)


class NoteOut(Output):
    """A note in a response."""

    id: Id
    title: str
    body: str
