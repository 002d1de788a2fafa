"""Request and response models of notes."""

from app.kit.db.ids import Id
from app.kit.schemas import Input, Line, Output


class NoteIn(Input):
    """A new note."""

    title: Line


class NoteOut(Output):
    """A note."""

    id: Id
    title: str
