"""The patterns whose worth is measured, each with the same work as it is often done."""

from dataclasses import dataclass, field

from benchmarks.database import DEEP

APPLICATION = "--factory app.main:create_app"
UNSPARED = "--factory benchmarks.contenders.unspared:"
ROW = "/measured/rows/{key}"
VIEW_ROW = "/measured/view/{key}"


@dataclass(frozen=True)
class Side:
    """A service, and the path by which it does the work."""

    path: str
    application: str = APPLICATION
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pattern:
    """What the service does, and what it does so in place of."""

    name: str
    in_place_of: str
    work: str
    on: Side
    off: Side


PATTERNS = (
    Pattern(
        "a read-only session, without a transaction",
        "a transaction",
        "R1",
        Side(ROW),
        Side("/without/read-only/{key}"),
    ),
    Pattern(
        "a check of the driver's connection state",
        "a ping before each use",
        "R1",
        Side(ROW),
        Side(ROW, variables={"DATABASE_POOL_PRE_PING": "true"}),
    ),
    Pattern(
        "a pool of one size",
        "5 connections and 10 more",
        "R1",
        Side(ROW),
        Side(ROW, variables={"DATABASE_POOL_SIZE": "5", "DATABASE_MAX_OVERFLOW": "10"}),
    ),
    Pattern(
        "a view, compiled once",
        "a session",
        "R1",
        Side(VIEW_ROW),
        Side(ROW),
    ),
    Pattern(
        "dependencies that are coroutines",
        "one that is a function, run in a thread",
        "R1",
        Side(ROW),
        Side("/without/coroutines/{key}"),
    ),
    Pattern(
        "one dependency with an end",
        "three",
        "R1",
        Side(ROW),
        Side("/without/few-dependencies/{key}"),
    ),
    Pattern(
        "a response model",
        "a response made by hand",
        "R1",
        Side(ROW),
        Side("/without/response-model/{key}"),
    ),
    Pattern(
        "middleware of plain ASGI",
        "one more that is a `BaseHTTPMiddleware`",
        "R1",
        Side(VIEW_ROW),
        Side(VIEW_ROW, f"{UNSPARED}with_base_http_middleware"),
    ),
    Pattern(
        "a router that finds routes by the first segment of a path",
        "FastAPI's own",
        "R1",
        Side(VIEW_ROW),
        Side(VIEW_ROW, f"{UNSPARED}with_fastapis_router"),
    ),
    Pattern(
        "a tuned garbage collector",
        "Python's defaults",
        "R1",
        Side(ROW),
        Side(ROW, f"{UNSPARED}with_pythons_garbage_collector"),
    ),
    Pattern(
        "a list by a view of its schema",
        "objects and a load plan",
        "R2",
        Side("/measured/posts?limit=20"),
        Side("/without/objects?limit=20"),
    ),
    Pattern(
        "a total in a separate statement",
        "`count(*) OVER ()`",
        "R2c",
        Side("/posts?limit=20"),
        Side("/without/count-of-its-own?limit=20"),
    ),
    Pattern(
        "a page by cursor",
        "a page by offset",
        "R4",
        Side("/posts/feed?limit=20&cursor={cursor}"),
        Side(f"/without/keyset?limit=20&offset={DEEP}"),
    ),
    Pattern(
        "an insert by a view, one statement",
        "the unit of work",
        "R3",
        Side("/measured/view"),
        Side("/measured/rows"),
    ),
    Pattern(
        "what `RETURNING` brings",
        "a refresh",
        "R3",
        Side("/measured/rows"),
        Side("/without/returning"),
    ),
    Pattern(
        "`Repository.change`, which writes at once",
        "`get` and `update`",
        "R6",
        Side(ROW),
        Side("/without/change/{key}"),
    ),
    Pattern(
        "COPY",
        "the unit of work",
        "R5",
        Side("/measured/rows/bulk"),
        Side("/without/copy"),
    ),
)
