"""Request and response models of notes."""

from app.kit.db.ids import Id
from app.kit.http.schemas import RequestModel, ResponseModel, ShortStr


class NoteIn(RequestModel):
    """A new note."""

    title: ShortStr


class NoteOut(ResponseModel):
    """A note."""

    id: Id
    title: str
