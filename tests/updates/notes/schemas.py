"""What the API takes and gives for notes."""

from pydantic import Field

from app.kit.db.ids import Id
from app.kit.schemas import Input, Output


class NoteCreate(Input):
    """A new note."""

    title: str = Field(min_length=1, max_length=100)
    body: str = Field(max_length=10_000)


class NoteOut(Output):
    """A note."""

    id: Id
    title: str
    body: str
