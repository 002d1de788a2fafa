"""What can be done with posts beyond reading and writing a row."""

from app.example.posts.models import Post
from app.example.posts.repository import POST_OUT, PostRepository
from app.example.posts.schemas import PostChanges, PostCreate
from app.example.tags.repository import TagRepository
from app.example.users.models import User
from app.example.users.repository import UserRepository
from app.kit.db.ids import Id
from app.kit.errors import FieldProblem, Invalid


async def write_post(
    new: PostCreate, posts: PostRepository, users: UserRepository, tags: TagRepository
) -> Post:
    """Create a post by an existing user, filed under existing tags."""
    author = await users.one_by(User.id == new.author_id)
    if author is None:
        problem = FieldProblem(field="body.author_id", message="there is no such user")
        raise Invalid("A post needs an author.", problem)
    return await posts.add(
        Post(author=author, title=new.title, body=new.body, tags=await tags.named(new.tags))
    )


async def revise_post(
    post_id: Id, changes: PostChanges, posts: PostRepository, tags: TagRepository
) -> Post:
    """Change a post; where tags are sent, they replace the ones it had."""
    post = await posts.get(post_id, *POST_OUT)
    if "tags" in changes.model_fields_set:
        post.tags = await tags.named(changes.tags)
    return await posts.update(post, changes.sent(apart_from="tags"))
