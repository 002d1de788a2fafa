"""The tasks: requests to every target, and checks of the responses."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.database import AUTHORS, DEEP, POSTS, author, post
from benchmarks.load_generator import request

PAGE_SIZE = 20
CONNECTIONS = 16
BULK = 1000
# Enough different requests that a server cannot cache the responses.
DISTINCT_REQUESTS = 997

_CHANGES = itertools.count()


@dataclass(frozen=True)
class Task:
    """A kind of request."""

    name: str
    description: str
    check: Callable[[Any], bool]
    method: str = "GET"
    body: Callable[[int], Any] | None = None

    @property
    def creates(self) -> bool:
        """Whether the task creates rows."""
        return self.method == "POST"

    def is_valid_response(self, response: Any) -> bool:
        """Return whether a response has the expected structure and size."""
        try:
            return self.check(response)
        except (KeyError, TypeError, IndexError):
            return False

    def requests(self, path: str) -> list[bytes]:
        """Return different requests as bytes; `{key}` in the path is the id of a post."""
        count = 7 if self.name == "R5" else DISTINCT_REQUESTS
        return [self._request(path, index) for index in range(count)]

    def _request(self, path: str, index: int) -> bytes:
        # The keys are spread over the table, and are the same for every target.
        number = 1 + index * 7919 % POSTS
        body = None if self.body is None else self.body(number)
        return request(self.method, path.format(key=post(number)), body)


def _row(number: int) -> dict[str, Any]:
    words = "word " * 40
    return {"author_id": author(number % AUTHORS), "title": f"Post {number}", "body": words}


def _rows(number: int) -> dict[str, Any]:
    return {"rows": [_row(number + index) for index in range(BULK)]}


def _change(_number: int) -> dict[str, Any]:
    # Always a new value: an ORM does not send an UPDATE for an unchanged one.
    return {"body": f"word {next(_CHANGES)}"}


def _is_row(response: Any) -> bool:
    return set(response) >= {"id", "author_id", "title", "body", "created_at"}


def _is_post(response: Any) -> bool:
    return bool(response["author"]["name"]) and len(response["tags"]) == 3


def _is_list(response: Any) -> bool:
    posts = response["items"] if isinstance(response, dict) else response
    return len(posts) == PAGE_SIZE and all(
        post["author"]["name"] and len(post["tags"]) == 3 and post["id"] for post in posts
    )


def _is_counted_list(response: Any) -> bool:
    return _is_list(response) and response["total"] == POSTS


def _is_deep_list(response: Any) -> bool:
    posts = response["items"] if isinstance(response, dict) else response
    return _is_list(response) and posts[0]["title"] == f"Post {POSTS - DEEP}"


TASKS = {
    task.name: task
    for task in (
        Task("R1", "read one row", _is_row),
        Task("RD", "read one post with author and tags", _is_post),
        Task("R2", "list 20 posts with author and tags", _is_list),
        Task("R2c", "list 20 posts, with the total", _is_counted_list),
        Task("R3", "create one row", _is_row, "POST", _row),
        Task("R4", f"list 20 posts after {DEEP:,} others", _is_deep_list),
        Task(
            "R5", "create 1,000 rows", lambda response: len(response["ids"]) == BULK, "POST", _rows
        ),
        Task("R6", "update one row", _is_row, "PATCH", _change),
    )
}
