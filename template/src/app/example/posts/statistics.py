"""Statistics of posts: in total, by author, by day."""

from datetime import date, datetime

from pydantic import Field
from sqlalchemy import Date, DateTime, Double, and_, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.users.models import User
from app.kit.db.base import utc_now
from app.kit.db.ids import Id
from app.kit.http.schemas import RequestModel, ResponseModel
from app.kit.queries.pagination import PageQuery, PageResult


class PostTotals(ResponseModel):
    """Totals and averages of all posts."""

    posts: int
    published: int
    authors: int = Field(description="Number of users with at least one post")
    average_per_user: float | None = Field(description="null if there are no users")
    average_length: float | None = Field(description="In characters; null if there are no posts")


class AuthorCount(ResponseModel):
    """Post counts of one user."""

    id: Id
    name: str
    posts: int
    published: int
    latest_at: datetime | None = Field(description="null if the user has no posts")


class DayQuery(RequestModel):
    """Days to count, in UTC."""

    until: date = Field(
        default_factory=lambda: utc_now().date(),
        ge=date(1900, 1, 1),
        le=date(2999, 12, 31),
        description="Last day; default: today",
    )
    days: int = Field(30, ge=1, le=366)


class DayCount(ResponseModel):
    """Number of posts published on one day."""

    day: date
    posts: int


# A post with a later time is scheduled.
_is_published = Post.published_at <= func.now()
_published_count = func.count(Post.id).filter(_is_published).label("published")


async def totals(session: AsyncSession) -> PostTotals:
    """Return totals and averages in one statement."""
    by_user = select(func.count(Post.id).label("posts")).select_from(User)
    counts = by_user.outerjoin(User.posts).group_by(User.id).subquery()
    average_per_user = select(cast(func.avg(counts.c.posts), Double)).scalar_subquery()
    statement = select(
        func.count(Post.id).label("posts"),
        _published_count,
        func.count(Post.author_id.distinct()).label("authors"),
        average_per_user.label("average_per_user"),
        cast(func.avg(func.length(Post.body)), Double).label("average_length"),
    )
    return PostTotals.model_validate((await session.execute(statement)).one())


async def by_author(session: AsyncSession, query: PageQuery) -> PageResult[AuthorCount]:
    """Return one page of users, most posts first. Users without posts are included."""
    posts = func.count(Post.id).label("posts")
    latest_at = func.max(Post.created_at).label("latest_at")
    statement = (
        select(User.id, User.name, posts, _published_count, latest_at)
        .outerjoin(User.posts)
        .group_by(User.id)
        .order_by(posts.desc(), User.id)
    )
    total = await session.scalar(select(func.count()).select_from(User)) or 0
    rows = await session.execute(statement.limit(query.limit).offset(query.offset))
    authors = [AuthorCount.model_validate(row) for row in rows]
    return PageResult(authors, total, query.limit, query.offset)


# Raw SQL for the days only. Posts are joined as a model: raw SQL would also count deleted posts,
# because no filter of the session applies to it.
_DAYS = text("""
    SELECT CAST(day AS date) AS day,
           day AT TIME ZONE 'UTC' AS starts_at,
           (day + interval '1 day') AT TIME ZONE 'UTC' AS ends_at
    FROM generate_series(
        CAST(:until AS timestamp) - make_interval(days => :days - 1),
        CAST(:until AS timestamp),
        interval '1 day'
    ) AS day
""").columns(day=Date, starts_at=DateTime(timezone=True), ends_at=DateTime(timezone=True))


async def by_day(session: AsyncSession, query: DayQuery) -> list[DayCount]:
    """Return the number of posts published per day, oldest day first. Days without posts have 0."""
    days = _DAYS.bindparams(until=query.until, days=query.days).subquery("days")
    on_the_day = and_(
        Post.published_at >= days.c.starts_at,
        Post.published_at < days.c.ends_at,
        _is_published,
    )
    statement = (
        select(days.c.day, func.count(Post.id).label("posts"))
        .outerjoin(Post, on_the_day)
        .group_by(days.c.day)
        .order_by(days.c.day)
    )
    rows = (await session.execute(statement)).mappings()
    return [DayCount(**row) for row in rows]
