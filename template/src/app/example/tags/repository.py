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
        """Lock the tags with these names and return them by name, or raise `Invalid`."""
        statement = select(Tag).where(Tag.name.in_(names)).options(*NO_RELATIONSHIPS)
        # FOR KEY SHARE: a concurrent deletion or rename of a tag waits for this transaction.
        locked = statement.order_by(Tag.name).with_for_update(read=True, key_share=True)
        tags = list(await self.session.scalars(locked.execution_options(populate_existing=True)))
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
