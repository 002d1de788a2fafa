"""Request and response bodies for tags."""

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
    """Fields of a tag to update."""

    name: TagName = omittable()


class TagImport(Input):
    """Names of tags to create. The response reports invalid names."""

    names: list[str] = Field(
        min_length=1, max_length=200, examples=[["analytical-engine", "Not a tag"]]
    )


class TagQuery(PageQuery):
    """Query parameters of the list of tags."""

    q: SearchText | None = Field(None, description="Part of the name")


class TagOut(Output):
    """A tag."""

    id: Id
    name: str


class RefusedTag(Output):
    """A name for which no tag was created."""

    index: int = Field(description="Position in `names`, from 0")
    reason: str


class TagImportOut(Output):
    """Result of a tag import."""

    created: list[TagOut]
    refused: list[RefusedTag]
