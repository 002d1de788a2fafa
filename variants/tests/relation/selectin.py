"""What the lazy strategy promises: relations come along with their row."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.users.models import User
from tests.example.factories import make_post, make_tag


async def test_relations_are_there_without_a_word(session: AsyncSession) -> None:
    await make_post(session, tags=[await make_tag(session, "python")])
    session.expunge_all()
    post = (await session.scalars(select(Post))).one()
    assert post.author.name
    assert [tag.name for tag in post.tags] == ["python"]


async def test_so_are_those_of_the_relations(session: AsyncSession) -> None:
    await make_post(session, tags=[await make_tag(session, "python")])
    session.expunge_all()
    user = (await session.scalars(select(User))).one()
    assert [tag.name for post in user.posts for tag in post.tags] == ["python"]
