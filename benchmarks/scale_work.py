"""What is asked of a small and of a large database."""

import json
from collections.abc import Callable
from dataclasses import dataclass

# Page 5,000 of 20: the last but few that an offset may reach.
DEEP = 99_980
INDEXES = (
    "CREATE INDEX ix_users_name_trgm ON users USING gin (name gin_trgm_ops)",
    "CREATE INDEX ix_users_email_trgm ON users USING gin (email gin_trgm_ops)",
)

Get = Callable[[str], bytes]


@dataclass(frozen=True)
class Found:
    """One question: its path, which may depend on what is stored."""

    name: str
    plain: str
    cursor_at: Callable[[int], int] | None = None

    def path(self, get: Get) -> str:
        """Where to ask; a cursor is looked up first."""
        if self.cursor_at is None:
            return self.plain
        posts = int(get("/measured/count"))
        cursor = json.loads(get(f"/measured/cursor?offset={self.cursor_at(posts)}"))
        return f"{self.plain}&cursor={cursor}"


def _feed(name: str, at: Callable[[int], int]) -> Found:
    return Found(f"feed by cursor, {name}", "/posts/feed?limit=20", at)


SEARCHES = [
    Found("search users: one matches, with the index", "/users?q=0004242"),
    Found("search users: one in 81 matches, with the index", "/users?q=basalt%20amber"),
]

WORK = [
    Found("feed by cursor, page 1", "/posts/feed?limit=20"),
    _feed("page 100", lambda posts: min(99 * 20, posts - 20)),
    # The small database has so many pages just so.
    _feed("page 5,000", lambda posts: min(DEEP, posts - 20)),
    _feed("the last page", lambda posts: posts - 20),
    Found("newest posts, as one statement", "/posts/newest?limit=20"),
    Found("posts with exact total, page 1", "/posts?limit=20"),
    Found("posts with exact total, page 5,000 by offset", f"/posts?limit=20&offset={DEEP}"),
    Found("count, exact", "/measured/count"),
    Found("count, capped at 1,000", "/measured/count/capped?cap=1000"),
    Found("users with exact total, page 1", "/users?limit=20"),
    Found("search users: one matches", "/users?q=0004242"),
    Found("search users: one in 81 matches", "/users?q=basalt%20amber"),
    Found("statistics: 30 days", "/posts/statistics/by-day?until=2025-06-30&days=30"),
    Found("statistics: totals", "/posts/statistics"),
    Found("statistics: by author, page 1", "/posts/statistics/by-author?limit=20"),
]
