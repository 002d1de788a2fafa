"""Finding and keeping tags."""

from collections.abc import Collection

from sqlalchemy import Select, select

from app.example.tags.models import Tag
from app.example.tags.schemas import TagOut, TagQuery
from app.kit.db.plan import plan
from app.kit.db.repository import Repository
from app.kit.errors import FieldProblem, Invalid
from app.kit.queries.view import View

TAGS = View(TagOut, Tag)
# Tags that are loaded for a change come without their posts.
_ALONE = plan()


class TagRepository(Repository[Tag]):
    """The tags of the service."""

    model = Tag

    async def named(self, names: Collection[str]) -> list[Tag]:
        """The tags with these names, by name; `Invalid` where one does not exist."""
        found = await self.session.scalars(
            select(Tag).where(Tag.name.in_(names)).order_by(Tag.name).options(*_ALONE)
        )
        tags = list(found)
        if unknown := sorted(set(names) - {tag.name for tag in tags}):
            problem = FieldProblem(field="body.tags", message=f"unknown: {', '.join(unknown)}")
            raise Invalid("Create a tag before filing a post under it.", problem)
        return tags


def matching(query: TagQuery) -> Select[Tag]:
    """The tags that match, by name."""
    statement = TAGS.select().order_by(Tag.name)
    if query.q is not None:
        statement = statement.where(Tag.name.icontains(query.q, autoescape=True))
    return statement
