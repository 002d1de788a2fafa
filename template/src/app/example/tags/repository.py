"""Finding and keeping tags."""

from collections.abc import Collection
from typing import Annotated

from sqlalchemy import select

from app.example.tags.models import Tag
from app.example.tags.schemas import TagCreate, TagOut, TagQuery
from app.kit.db.hot import HotGet
from app.kit.db.hot_writes import HotInsert
from app.kit.db.plan import plan
from app.kit.db.repository import Repository, provided
from app.kit.errors import FieldProblem, Invalid
from app.kit.page import Slice

# What `TagOut` shows: no relation at all.
TAG_OUT = plan()
HOT_TAG = HotGet(Tag, TagOut)
HOT_NEW_TAG = HotInsert(Tag, TagCreate, TagOut)


class TagRepository(Repository[Tag]):
    """The tags of the service."""

    model = Tag

    async def search(self, query: TagQuery) -> Slice[Tag]:
        """One page of the tags that match, by name."""
        statement = select(Tag).order_by(Tag.name)
        if query.q is not None:
            statement = statement.where(Tag.name.icontains(query.q, autoescape=True))
        return await self.page(query, statement, *TAG_OUT)

    async def named(self, names: Collection[str]) -> list[Tag]:
        """The tags with these names, by name; `Invalid` where one does not exist."""
        found = await self.session.scalars(
            select(Tag).where(Tag.name.in_(names)).order_by(Tag.name).options(*TAG_OUT)
        )
        tags = list(found)
        if unknown := sorted(set(names) - {tag.name for tag in tags}):
            problem = FieldProblem(field="body.tags", message=f"unknown: {', '.join(unknown)}")
            raise Invalid("Create a tag before filing a post under it.", problem)
        return tags


Tags = Annotated[TagRepository, provided(TagRepository)]
TagsToRead = Annotated[TagRepository, provided(TagRepository, read_only=True)]
