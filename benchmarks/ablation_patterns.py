"""The measured patterns, each with the usual alternative."""

from dataclasses import dataclass, field

from benchmarks.database import DEEP

UVICORN_ARGUMENTS = "--factory app.main:create_app"
WITHOUT_OPTIMIZATIONS = "--factory benchmarks.apps.without_optimizations:"
ROW = "/measured/rows/{key}"
VIEW_ROW = "/measured/view/{key}"


@dataclass(frozen=True)
class Variant:
    """A configuration of the service, and the path of the request."""

    path: str
    uvicorn_arguments: str = UVICORN_ARGUMENTS
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pattern:
    """A pattern of the service and its alternative."""

    name: str
    alternative: str
    task: str
    on: Variant
    off: Variant


PATTERNS = (
    Pattern(
        "read-only session in autocommit mode",
        "transaction",
        "R1",
        Variant(ROW),
        Variant("/without/read-only/{key}"),
    ),
    Pattern(
        "check of the driver's connection state",
        "pre-ping",
        "R1",
        Variant(ROW),
        Variant(ROW, variables={"DATABASE_POOL_PRE_PING": "true"}),
    ),
    Pattern(
        "fixed pool size",
        "5 connections and 10 overflow",
        "R1",
        Variant(ROW),
        Variant(ROW, variables={"DATABASE_POOL_SIZE": "5", "DATABASE_MAX_OVERFLOW": "10"}),
    ),
    Pattern(
        "view with a compiled statement",
        "session and entity",
        "R1",
        Variant(VIEW_ROW),
        Variant(ROW),
    ),
    Pattern(
        "async dependencies",
        "one sync dependency, in a thread",
        "R1",
        Variant(ROW),
        Variant("/without/async-dependencies/{key}"),
    ),
    Pattern(
        "one generator dependency",
        "three generator dependencies",
        "R1",
        Variant(ROW),
        Variant("/without/single-generator/{key}"),
    ),
    Pattern(
        "response model",
        "explicit `JSONResponse`",
        "R1",
        Variant(ROW),
        Variant("/without/response-model/{key}"),
    ),
    Pattern(
        "pure ASGI middleware",
        "one additional `BaseHTTPMiddleware`",
        "R1",
        Variant(VIEW_ROW),
        Variant(VIEW_ROW, f"{WITHOUT_OPTIMIZATIONS}with_base_http_middleware"),
    ),
    Pattern(
        "router that looks up routes by path segment",
        "FastAPI's router",
        "R1",
        Variant(VIEW_ROW),
        Variant(VIEW_ROW, f"{WITHOUT_OPTIMIZATIONS}with_fastapi_router"),
    ),
    Pattern(
        "tuned garbage collector",
        "default garbage collector",
        "R1",
        Variant(ROW),
        Variant(ROW, f"{WITHOUT_OPTIMIZATIONS}with_default_garbage_collector"),
    ),
    Pattern(
        "list with a view",
        "ORM objects and load options",
        "R2",
        Variant("/measured/posts?limit=20"),
        Variant("/without/view?limit=20"),
    ),
    Pattern(
        "total in a separate statement",
        "`count(*) OVER ()`",
        "R2c",
        Variant("/posts?limit=20"),
        Variant("/without/separate-count?limit=20"),
    ),
    Pattern(
        "cursor pagination",
        "offset pagination",
        "R4",
        Variant("/posts/feed?limit=20&cursor={cursor}"),
        Variant(f"/without/keyset?limit=20&offset={DEEP}"),
    ),
    Pattern(
        "insert with a view",
        "unit of work",
        "R3",
        Variant("/measured/view"),
        Variant("/measured/rows"),
    ),
    Pattern(
        "`RETURNING`",
        "refresh",
        "R3",
        Variant("/measured/rows"),
        Variant("/without/returning"),
    ),
    Pattern(
        "update with a view",
        "unit of work",
        "R6",
        Variant(VIEW_ROW),
        Variant(ROW),
    ),
    Pattern(
        "COPY",
        "unit of work",
        "R5",
        Variant("/measured/rows/bulk"),
        Variant("/without/copy"),
    ),
)
