"""SQL statements of the targets without SQLAlchemy, one per task."""

from typing import Any

COLUMNS = ("id", "author_id", "title", "body", "published_at", "created_at", "updated_at")
ROW = ", ".join(COLUMNS)

READ = f"SELECT {ROW} FROM posts WHERE id = $1 AND deleted_at IS NULL"
CREATE = f"INSERT INTO posts ({ROW}) VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING {ROW}"
UPDATE = (
    "UPDATE posts SET title = coalesce($2, title), body = coalesce($3, body), updated_at = $4 "
    f"WHERE id = $1 AND deleted_at IS NULL RETURNING {ROW}"
)


# Posts with author and tags.
_POSTS = """
    SELECT p.id, p.title, p.body, p.published_at,
      (SELECT row_to_json(a) FROM (SELECT u.id, u.name) a) AS author,
      (SELECT coalesce(json_agg(t), '[]') FROM (
         SELECT tags.id, tags.name FROM tags JOIN post_tags ON post_tags.tag_id = tags.id
         WHERE post_tags.post_id = p.id ORDER BY tags.name) t) AS tags,
      p.created_at, p.updated_at
    FROM posts p JOIN users u ON u.id = p.author_id
    WHERE p.deleted_at IS NULL
"""


def _json_list(condition: str) -> str:
    # PostgreSQL writes the JSON, so the target builds no objects.
    newest = f"{_POSTS} {condition} ORDER BY p.created_at DESC, p.id DESC LIMIT $1"
    return f"SELECT coalesce(json_agg(post), '[]')::text FROM ({newest}) post"


DETAIL = f"SELECT row_to_json(post)::text FROM ({_POSTS} AND p.id = $1) post"
LIST = _json_list("")
NEXT_PAGE = _json_list("AND (p.created_at, p.id) < ($2, $3)")
COUNT = "SELECT count(*) FROM posts WHERE deleted_at IS NULL"


async def skip_reset(_connection: Any) -> None:
    """Return a connection to the pool without the reset query of asyncpg."""
