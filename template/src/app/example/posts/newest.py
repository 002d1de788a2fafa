"""The newest posts, in the one statement that the front page asks for again and again."""

from sqlalchemy import Integer, bindparam, select

from app.example.posts.models import Post, PostTag
from app.example.tags.models import Tag
from app.example.users.models import User
from app.kit.db.hot import HotJson
from app.kit.db.json import json_list, json_object

_author = select(User.id, User.name).where(User.id == Post.author_id).correlate(Post)
_tags = (
    select(Tag.id, Tag.name)
    .join(PostTag, PostTag.tag_id == Tag.id)
    .where(PostTag.post_id == Post.id)
    .order_by(Tag.name)
    .correlate(Post)
)

# What `PostOut` shows, field by field.
NEWEST = HotJson(
    json_list(
        select(
            Post.id,
            Post.title,
            Post.body,
            Post.published_at,
            json_object(_author).label("author"),
            json_list(_tags).label("tags"),
            Post.created_at,
            Post.updated_at,
        )
        .order_by(Post.created_at.desc(), Post.id.desc())
        .limit(bindparam("limit", type_=Integer))
    )
)
