"""Endpoints for tags."""

from typing import Annotated

from fastapi import APIRouter, Query, status

from app.example.tags import service
from app.example.tags.repository import TAGS, TagRepository, matching
from app.example.tags.schemas import (
    TagChanges,
    TagCreate,
    TagImport,
    TagImportOut,
    TagOut,
    TagQuery,
)
from app.kit.db.ids import Id
from app.kit.db.session import DatabaseDep, SessionDep
from app.kit.errors import problems
from app.kit.page import Page, Slice

router = APIRouter(prefix="/tags", tags=["tags"])


@router.post(
    "", status_code=status.HTTP_201_CREATED, response_model=TagOut, responses=problems(409)
)
async def create_tag(new: TagCreate, db: DatabaseDep) -> TagOut:
    """Create a tag."""
    return await TAGS.insert(db, new)


@router.post("/import", response_model=TagImportOut)
async def import_tags(wanted: TagImport, session: SessionDep) -> TagImportOut:
    """Create up to 200 tags. The response lists invalid and existing names as `refused`."""
    return await service.import_tags(wanted, session)


@router.get("", response_model=Page[TagOut])
async def list_tags(query: Annotated[TagQuery, Query()], db: DatabaseDep) -> Slice[TagOut]:
    """List tags, sorted by name."""
    return await TAGS.page(db, query, matching(query))


@router.get("/{tag_id}", response_model=TagOut, responses=problems(404))
async def read_tag(tag_id: Id, db: DatabaseDep) -> TagOut:
    """Return a tag."""
    return await TAGS.get(db, tag_id)


@router.patch("/{tag_id}", response_model=TagOut, responses=problems(404, 409))
async def update_tag(tag_id: Id, changes: TagChanges, db: DatabaseDep) -> TagOut:
    """Rename a tag, for all posts that have it."""
    return await TAGS.update(db, tag_id, changes)


@router.delete("/{tag_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(404))
async def delete_tag(tag_id: Id, session: SessionDep) -> None:
    """Delete a tag. Its posts are kept."""
    await TagRepository(session).delete(tag_id)
