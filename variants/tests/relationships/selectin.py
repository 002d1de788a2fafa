"""lazy="selectin": relationships are always eager-loaded."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.users.models import User
from tests.example.factories import make_post, make_tag


async def test_relationships_are_loaded_with_their_row(session: AsyncSession) -> None:
    await make_post(session, tags=[await make_tag(session, "python")])
    session.expunge_all()
    post = (await session.scalars(select(Post))).one()
    assert post.author.name
    assert [tag.name for tag in post.tags] == ["python"]


async def test_relationships_of_relationships_are_loaded(session: AsyncSession) -> None:
    await make_post(session, tags=[await make_tag(session, "python")])
    session.expunge_all()
    user = (await session.scalars(select(User))).one()
    assert [tag.name for post in user.posts for tag in post.tags] == ["python"]
