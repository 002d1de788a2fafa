"""Business logic for tags."""

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.tags.models import Tag
from app.example.tags.repository import TagRepository
from app.example.tags.schemas import RefusedTag, TagImport, TagImportOut, TagName, TagOut
from app.kit.errors.problems import Conflict
from app.kit.writes.transactions import savepoint

_NAME: TypeAdapter[str] = TypeAdapter(TagName)


async def import_tags(wanted: TagImport, session: AsyncSession) -> TagImportOut:
    """Create a tag for each name. Skip and report invalid and existing names."""
    created: list[TagOut] = []
    refused: list[RefusedTag] = []
    for index, name in enumerate(wanted.names):
        try:
            new = Tag(name=_NAME.validate_python(name))
            # Without a savepoint, the first existing name would abort the whole transaction.
            async with savepoint(session):
                await TagRepository(session).add(new)
            created.append(TagOut.model_validate(new))
        except ValidationError as error:
            refused.append(RefusedTag(index=index, reason=error.errors()[0]["msg"]))
        except Conflict as conflict:
            refused.append(RefusedTag(index=index, reason=conflict.detail))
    return TagImportOut(created=created, refused=refused)
