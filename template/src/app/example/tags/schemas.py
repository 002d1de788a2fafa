"""What the API takes and gives for tags."""

from typing import Annotated

from pydantic import Field, StringConstraints

from app.kit.db.ids import Id
from app.kit.page import PageQuery
from app.kit.schemas import Changes, Input, Output, SearchText, omittable

TagName = Annotated[
    str,
    StringConstraints(max_length=50, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$"),
    Field(examples=["analytical-engine"]),
]


class TagCreate(Input):
    """A new tag."""

    name: TagName


class TagChanges(Changes):
    """What may change about a tag."""

    name: TagName = omittable()


class TagImport(Input):
    """Names of tags to create. Each is judged by itself, so none is refused here."""

    names: list[str] = Field(
        min_length=1, max_length=200, examples=[["analytical-engine", "Not a tag"]]
    )


class TagQuery(PageQuery):
    """Which tags to list."""

    q: SearchText | None = Field(None, description="Part of the name")


class TagOut(Output):
    """A tag."""

    id: Id
    name: str


class RefusedTag(Output):
    """A name that no tag was created for."""

    index: int = Field(description="Its place among the names of the request, from 0")
    reason: str


class TagImportOut(Output):
    """What became of the names."""

    created: list[TagOut]
    refused: list[RefusedTag]
