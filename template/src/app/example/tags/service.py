"""Business logic for tags."""

from operator import attrgetter, itemgetter

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.tags.models import Tag
from app.example.tags.repository import TagRepository
from app.example.tags.schemas import RejectedTag, TagImport, TagImportOut, TagName, TagOut
from app.kit.errors.problems import Conflict
from app.kit.writes.transactions import savepoint

_NAME: TypeAdapter[str] = TypeAdapter(TagName)


async def import_tags(wanted: TagImport, session: AsyncSession) -> TagImportOut:
    """Create a tag for each name. Skip and report invalid and existing names."""
    created: dict[int, TagOut] = {}
    rejected: list[RejectedTag] = []
    # Insert in the order of the names: concurrent imports of the same names cannot deadlock.
    for index, name in sorted(enumerate(wanted.names), key=itemgetter(1)):
        try:
            new = Tag(name=_NAME.validate_python(name))
            # Without a savepoint, the first existing name would abort the whole transaction.
            async with savepoint(session):
                await TagRepository(session).add(new)
            created[index] = TagOut.model_validate(new)
        except ValidationError as error:
            rejected.append(RejectedTag(index=index, reason=error.errors()[0]["msg"]))
        except Conflict as conflict:
            rejected.append(RejectedTag(index=index, reason=conflict.detail))
    rejected.sort(key=attrgetter("index"))
    return TagImportOut(created=[created[index] for index in sorted(created)], rejected=rejected)
