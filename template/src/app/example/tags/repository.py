"""Queries for tags."""

from collections.abc import Collection

from sqlalchemy import Select, select

from app.example.tags.models import Tag
from app.example.tags.schemas import TagOut, TagQuery
from app.kit.errors.problems import FieldProblem, Invalid
from app.kit.queries.repository import NO_RELATIONSHIPS, Repository
from app.kit.queries.view import View

TAGS = View(TagOut, Tag)


class TagRepository(Repository[Tag]):
    """Repository of tags."""

    model = Tag

    async def named(self, names: Collection[str]) -> list[Tag]:
        """Return the tags with these names in alphabetical order, or raise `Invalid`."""
        found = await self.session.scalars(
            select(Tag).where(Tag.name.in_(names)).order_by(Tag.name).options(*NO_RELATIONSHIPS)
        )
        tags = list(found)
        if unknown := sorted(set(names) - {tag.name for tag in tags}):
            problem = FieldProblem(field="body.tags", message=f"not found: {', '.join(unknown)}")
            raise Invalid("Some tags do not exist. Create them first.", problem)
        return tags


def matching(query: TagQuery) -> Select[Tag]:
    """Return a SELECT of the tags that match the filters, sorted by name."""
    statement = TAGS.select().order_by(Tag.name)
    if query.q is not None:
        statement = statement.where(Tag.name.icontains(query.q, autoescape=True))
    return statement
