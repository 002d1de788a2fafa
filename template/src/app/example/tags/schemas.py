"""What the API takes and gives for tags."""

from typing import Annotated

from pydantic import Field, StringConstraints

from app.kit.db.ids import Id
from app.kit.page import PageQuery
from app.kit.schemas import Changes, Input, Output, SearchText, omittable

TagName = Annotated[str, StringConstraints(max_length=50, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class TagCreate(Input):
    """A new tag."""

    name: TagName


class TagChanges(Changes):
    """What may change about a tag."""

    name: TagName = omittable()


class TagQuery(PageQuery):
    """Which tags to list."""

    q: SearchText | None = Field(None, description="Part of the name")


class TagOut(Output):
    """A tag."""

    id: Id
    name: str
