"""Request and response bodies for tags."""

from typing import Annotated

from pydantic import Field, StringConstraints

from app.kit.db.ids import Id
from app.kit.http.schemas import PatchModel, RequestModel, ResponseModel, SearchStr, optional_field
from app.kit.queries.pagination import PageQuery

TagName = Annotated[
    str,
    StringConstraints(max_length=50, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$"),
    Field(examples=["analytical-engine"]),
]


class TagCreate(RequestModel):
    """A new tag."""

    name: TagName


class TagChanges(PatchModel):
    """Fields of a tag to update."""

    name: TagName = optional_field()


class TagImport(RequestModel):
    """Names of tags to create. The response reports invalid names."""

    names: list[str] = Field(
        min_length=1, max_length=200, examples=[["analytical-engine", "Not a tag"]]
    )


class TagQuery(PageQuery):
    """Query parameters of the list of tags."""

    q: SearchStr | None = Field(None, description="Part of the name")


class TagOut(ResponseModel):
    """A tag."""

    id: Id
    name: str


class RejectedTag(ResponseModel):
    """A name for which no tag was created."""

    index: int = Field(description="Position in `names`, from 0")
    reason: str


class TagImportOut(ResponseModel):
    """Result of a tag import."""

    created: list[TagOut]
    rejected: list[RejectedTag]
