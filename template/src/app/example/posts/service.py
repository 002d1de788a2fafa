"""What can be done with posts beyond reading and writing a row."""

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
    """Create a post by an existing user, filed under existing tags."""
    # Held: who deletes the author waits, and then deletes this post as well.
    authors = await UserRepository(session).hold_many([new.author_id], *USER_OUT)
    if not authors:
        problem = FieldProblem(field="body.author_id", message="there is no such user")
        raise Invalid("A post needs an author.", problem)
    filed_under = await TagRepository(session).named(new.tags)
    content = new.model_dump(exclude={"author_id", "tags"})
    post = Post(author=authors[0], tags=filed_under, **content)
    return await PostRepository(session).add(post)


async def revise_post(post_id: Id, changes: PostChanges, session: AsyncSession) -> Post:
    """Change a post; where tags are sent, they replace the ones it had."""
    posts = PostRepository(session)
    post = await posts.get(post_id, *POST_OUT)
    if "tags" in changes.model_fields_set:
        post.tags = await TagRepository(session).named(changes.tags)
    return await posts.update(post, changes.sent(apart_from="tags"))


async def transfer_posts(batch: PostTransfers, session: AsyncSession) -> TransfersOut:
    """Make each transfer as a whole; one that fails leaves the others as they are."""
    # Users before posts, in the sequence in which a deletion locks them.
    posts, users = PostRepository(session), UserRepository(session)
    takers = await users.hold_many({transfer.to_author_id for transfer in batch.transfers}, *plan())
    living = {user.id for user in takers}
    await posts.lock({key for transfer in batch.transfers for key in transfer.post_ids})
    moved = 0
    refused: list[RefusedTransfer] = []
    for index, transfer in enumerate(batch.transfers):
        try:
            async with savepoint(session):
                moved += await _transfer(transfer, posts, living)
        except (Conflict, Invalid, NotFound) as problem:
            refused.append(
                RefusedTransfer(index=index, detail=problem.detail, errors=problem.errors)
            )
    return TransfersOut(moved=moved, refused=refused)


async def delete_old_posts(database: Database, before: datetime, size: int = CHUNK) -> int:
    """Delete the posts that have not changed since; returns how many."""

    async def batch(session: AsyncSession, after: Id | None) -> list[Id]:
        return await PostRepository(session).delete_old(before, after, size)

    return await in_batches(database, batch)


async def _transfer(transfer: PostTransfer, posts: PostRepository, takers: Container[Id]) -> int:
    if transfer.to_author_id not in takers:
        raise NotFound(f"There is no user {transfer.to_author_id}.")
    # Read here: what a transfer before this one changed and had to undo is read anew.
    found = await posts.get_many(transfer.post_ids, *plan())
    if missing := set(transfer.post_ids) - {post.id for post in found}:
        raise NotFound(f"There is no post {', '.join(sorted(map(str, missing)))}.")
    for post in found:
        post.hand_over(transfer.from_author_id, transfer.to_author_id)
    await posts.session.flush()
    return len(found)
