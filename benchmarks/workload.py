"""The work: what is asked of every contender, and what a right answer is."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.database import AUTHORS, DEEP, POSTS, author, post
from benchmarks.generator import request

LIMIT = 20
CONNECTIONS = 16
BULK = 1000
# More than a server could keep from the last time round.
VARIETY = 997

_CHANGES = itertools.count()


@dataclass(frozen=True)
class Work:
    """One kind of request."""

    name: str
    what: str
    is_right: Callable[[Any], bool]
    method: str = "GET"
    body: Callable[[int], Any] | None = None

    @property
    def creates(self) -> bool:
        """Whether the tables grow."""
        return self.method == "POST"

    def answers_rightly(self, answer: Any) -> bool:
        """Whether it has the form and the size of what was asked for."""
        try:
            return self.is_right(answer)
        except (KeyError, TypeError, IndexError):
            return False

    def requests(self, path: str) -> list[bytes]:
        """Requests that differ, as they go over the wire; `{key}` in a path is that of a post."""
        count = 7 if self.name == "R5" else VARIETY
        return [self._request(path, index) for index in range(count)]

    def _request(self, path: str, index: int) -> bytes:
        # Spread over the table, and the same for every contender.
        number = 1 + index * 7919 % POSTS
        body = None if self.body is None else self.body(number)
        return request(self.method, path.format(key=post(number)), body)


def _row(number: int) -> dict[str, Any]:
    words = "word " * 40
    return {"author_id": author(number % AUTHORS), "title": f"Post {number}", "body": words}


def _rows(number: int) -> dict[str, Any]:
    return {"rows": [_row(number + index) for index in range(BULK)]}


def _change(_number: int) -> dict[str, Any]:
    # Never what is there already: an ORM would not send it.
    return {"body": f"word {next(_CHANGES)}"}


def _is_row(answer: Any) -> bool:
    return set(answer) >= {"id", "author_id", "title", "body", "created_at"}


def _is_post(answer: Any) -> bool:
    return bool(answer["author"]["name"]) and len(answer["tags"]) == 3


def _is_list(answer: Any) -> bool:
    posts = answer["items"] if isinstance(answer, dict) else answer
    return len(posts) == LIMIT and all(
        post["author"]["name"] and len(post["tags"]) == 3 and post["id"] for post in posts
    )


def _is_counted_list(answer: Any) -> bool:
    return _is_list(answer) and answer["total"] == POSTS


def _is_deep_list(answer: Any) -> bool:
    posts = answer["items"] if isinstance(answer, dict) else answer
    return _is_list(answer) and posts[0]["title"] == f"Post {POSTS - DEEP}"


WORKS = {
    work.name: work
    for work in (
        Work("R1", "one row by key", _is_row),
        Work("RD", "one post with author and tags", _is_post),
        Work("R2", "20 posts with author and tags", _is_list),
        Work("R2c", "20 posts and their total", _is_counted_list),
        Work("R3", "create one row", _is_row, "POST", _row),
        Work("R4", f"20 posts after {DEEP:,} others", _is_deep_list),
        Work("R5", "create 1,000 rows", lambda answer: len(answer["ids"]) == BULK, "POST", _rows),
        Work("R6", "change one row", _is_row, "PATCH", _change),
    )
}
