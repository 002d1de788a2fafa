"""Posts and what they are filed under."""

from typing import Annotated

from fastapi import APIRouter, Query, status

from app.example.posts import service
from app.example.posts.models import Post
from app.example.posts.repository import POST_OUT, Posts
from app.example.posts.schemas import PostChanges, PostCreate, PostOut, PostQuery
from app.example.tags.repository import Tags
from app.example.users.repository import Users
from app.kit.db.ids import Id
from app.kit.errors import problems
from app.kit.page import Page, Slice

router = APIRouter(prefix="/posts", tags=["posts"])


@router.post("", status_code=status.HTTP_201_CREATED, response_model=PostOut)
async def create_post(new: PostCreate, posts: Posts, users: Users, tags: Tags) -> Post:
    """Write a post."""
    return await service.write_post(new, posts, users, tags)


@router.get("", response_model=Page[PostOut])
async def list_posts(query: Annotated[PostQuery, Query()], posts: Posts) -> Slice[Post]:
    """List posts with author and tags, the newest first."""
    return await posts.search(query)


@router.get("/{post_id}", response_model=PostOut, responses=problems(404))
async def read_post(post_id: Id, posts: Posts) -> Post:
    """Read a post with author and tags."""
    return await posts.get(post_id, *POST_OUT)


@router.patch("/{post_id}", response_model=PostOut, responses=problems(404))
async def update_post(post_id: Id, changes: PostChanges, posts: Posts, tags: Tags) -> Post:
    """Change what is sent, keep the rest."""
    return await service.revise_post(post_id, changes, posts, tags)


@router.delete("/{post_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(404))
async def delete_post(post_id: Id, posts: Posts) -> None:
    """Delete a post."""
    await posts.delete(post_id)
