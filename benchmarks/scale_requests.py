"""The requests that are sent to both databases."""

import json
from collections.abc import Callable
from dataclasses import dataclass

# Page 5,000 of 20 posts, near the largest offset that the API allows.
DEEP = 99_980
INDEXES = (
    "CREATE INDEX ix_users_name_trgm ON users USING gin (name gin_trgm_ops)",
    "CREATE INDEX ix_users_email_trgm ON users USING gin (email gin_trgm_ops)",
)

Get = Callable[[str], bytes]


@dataclass(frozen=True)
class ScaleRequest:
    """A GET request whose path may contain a cursor."""

    name: str
    plain: str
    cursor_at: Callable[[int], int] | None = None

    def path(self, get: Get) -> str:
        """Return the path; request the cursor first."""
        if self.cursor_at is None:
            return self.plain
        posts = int(get("/measured/count"))
        cursor = json.loads(get(f"/measured/cursor?offset={self.cursor_at(posts)}"))
        return f"{self.plain}&cursor={cursor}"


def _feed(name: str, at: Callable[[int], int]) -> ScaleRequest:
    return ScaleRequest(f"feed by cursor, {name}", "/posts/feed?limit=20", at)


SEARCHES = [
    ScaleRequest("search users: one matches, with the index", "/users?q=0004242"),
    ScaleRequest("search users: one in 81 matches, with the index", "/users?q=basalt%20amber"),
]

REQUESTS = [
    ScaleRequest("feed by cursor, page 1", "/posts/feed?limit=20"),
    _feed("page 100", lambda posts: min(99 * 20, posts - 20)),
    # The small database has exactly 5,000 pages.
    _feed("page 5,000", lambda posts: min(DEEP, posts - 20)),
    _feed("the last page", lambda posts: posts - 20),
    ScaleRequest("newest posts", "/posts/newest?limit=20"),
    ScaleRequest("posts with exact total, page 1", "/posts?limit=20"),
    ScaleRequest("posts with exact total, page 5,000 by offset", f"/posts?limit=20&offset={DEEP}"),
    ScaleRequest("count, exact", "/measured/count"),
    ScaleRequest("count, capped at 1,000", "/measured/count/capped?cap=1000"),
    ScaleRequest("users with exact total, page 1", "/users?limit=20"),
    ScaleRequest("search users: one matches", "/users?q=0004242"),
    ScaleRequest("search users: one in 81 matches", "/users?q=basalt%20amber"),
    ScaleRequest("statistics: 30 days", "/posts/statistics/by-day?until=2025-06-30&days=30"),
    ScaleRequest("statistics: totals", "/posts/statistics"),
    ScaleRequest("statistics: by author, page 1", "/posts/statistics/by-author?limit=20"),
]
