"""Business logic for posts."""

from collections.abc import Container
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.posts.repository import POST_OUT, PostRepository
from app.example.posts.schemas import (
    PostChanges,
    PostCreate,
    PostTransfer,
    PostTransfers,
    RefusedTransfer,
    TransfersOut,
)
from app.example.tags.repository import TagRepository
from app.example.users.repository import USER_OUT, UserRepository
from app.kit.db.batches import in_batches
from app.kit.db.bulk import CHUNK
from app.kit.db.ids import Id
from app.kit.db.plan import plan
from app.kit.db.savepoint import savepoint
from app.kit.db.session import Database
from app.kit.errors import Conflict, FieldProblem, Invalid, NotFound


async def write_post(new: PostCreate, session: AsyncSession) -> Post:
    """Create a post. Raises `Invalid` if the author or a tag does not exist."""
    # Lock the author FOR SHARE: a concurrent deletion of the author waits for this transaction,
    # and then deletes this post too.
    authors = await UserRepository(session).hold_many([new.author_id], *USER_OUT)
    if not authors:
        problem = FieldProblem(field="body.author_id", message="user not found")
        raise Invalid("The author does not exist.", problem)
    found_tags = await TagRepository(session).named(new.tags)
    content = new.model_dump(exclude={"author_id", "tags"})
    post = Post(author=authors[0], tags=found_tags, **content)
    return await PostRepository(session).add(post)


async def revise_post(post_id: Id, changes: PostChanges, session: AsyncSession) -> Post:
    """Update a post. If `tags` is sent, it replaces all tags of the post."""
    posts = PostRepository(session)
    post = await posts.get(post_id, *POST_OUT)
    if "tags" in changes.model_fields_set:
        post.tags = await TagRepository(session).named(changes.tags)
    return await posts.update(post, changes.sent(apart_from="tags"))


async def transfer_posts(batch: PostTransfers, session: AsyncSession) -> TransfersOut:
    """Make each transfer in its own savepoint, so that a failure does not affect the others."""
    # Lock users before posts, as the deletion of a user does. This prevents deadlocks.
    posts, users = PostRepository(session), UserRepository(session)
    users_found = await users.hold_many(
        {transfer.to_author_id for transfer in batch.transfers}, *plan()
    )
    authors = {user.id for user in users_found}
    await posts.lock({key for transfer in batch.transfers for key in transfer.post_ids})
    moved = 0
    refused: list[RefusedTransfer] = []
    for index, transfer in enumerate(batch.transfers):
        try:
            async with savepoint(session):
                moved += await _transfer(transfer, posts, authors)
        except (Conflict, Invalid, NotFound) as problem:
            refused.append(
                RefusedTransfer(index=index, detail=problem.detail, errors=problem.errors)
            )
    return TransfersOut(moved=moved, refused=refused)


async def delete_old_posts(database: Database, before: datetime, size: int = CHUNK) -> int:
    """Delete the posts not updated since `before`, in batches. Return their number."""

    async def batch(session: AsyncSession, after: Id | None) -> list[Id]:
        return await PostRepository(session).delete_old(before, after, size)

    return await in_batches(database, batch)


async def _transfer(transfer: PostTransfer, posts: PostRepository, authors: Container[Id]) -> int:
    if transfer.to_author_id not in authors:
        raise NotFound(f"User {transfer.to_author_id} not found.")
    # Read the posts in each savepoint: the rollback of an earlier one has expired its posts.
    found = await posts.get_many(transfer.post_ids, *plan())
    if missing := set(transfer.post_ids) - {post.id for post in found}:
        raise NotFound(f"Post {', '.join(sorted(map(str, missing)))} not found.")
    for post in found:
        post.hand_over(transfer.from_author_id, transfer.to_author_id)
    await posts.session.flush()
    return len(found)
