"""The measured targets, and the path of each task; benchmarks/tasks.py describes the tasks."""

from dataclasses import dataclass

from benchmarks.database import CURSOR_DATE, DEEP, LAST_BEFORE_DEEP, post

FRAMEWORK = ("asyncpg", "fastapi", "uuid-utils", "uvicorn[standard]")
ORM = (*FRAMEWORK, "sqlalchemy[asyncio]")
SERVICE = "service"
S3RIUS = "fastapi_template"

OFFSET_PATHS = {
    "R1": "/rows/{key}",
    "R2": "/posts?limit=20",
    "R2c": "/page?limit=20",
    "R3": "/rows",
    "R4": f"/posts?limit=20&offset={DEEP}",
    "R5": "/rows/bulk",
    "R6": "/rows/{key}",
}
DETAIL_PATH = {"RD": "/posts/{key}"}
KEYSET_PATHS = (
    OFFSET_PATHS
    | DETAIL_PATH
    | {"R4": f"/after?limit=20&created_at={CURSOR_DATE}&id={post(LAST_BEFORE_DEEP)}"}
)


@dataclass(frozen=True)
class App:
    """An application that runs in one server process."""

    name: str
    uvicorn_arguments: str
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """One row of the results: an application, and its path for each task."""

    name: str
    app: str
    paths: dict[str, str]


def _module(name: str, *requirements: str) -> App:
    return App(name, f"benchmarks.apps.{name}:app", requirements)


APPS = {
    app.name: app
    for app in (
        _module("asgi_asyncpg", *FRAMEWORK, "orjson"),
        _module("fastapi_asyncpg", *FRAMEWORK),
        _module("typical_app", *ORM),
        App(SERVICE, "--factory app.main:create_app", ()),
        _module("advanced_alchemy", *ORM, "advanced-alchemy"),
        _module("fastcrud", *ORM, "fastcrud"),
        App(S3RIUS, "--factory peer.web.application:get_app", (S3RIUS,)),
    )
}
SIMILAR_PROJECTS = ("advanced_alchemy", "fastcrud", S3RIUS)

TARGETS = (
    Target("raw ASGI + asyncpg", "asgi_asyncpg", KEYSET_PATHS),
    Target("FastAPI + asyncpg", "fastapi_asyncpg", KEYSET_PATHS),
    Target(
        "this service, entities",
        SERVICE,
        {"R1": "/measured/rows/{key}", "R3": "/measured/rows", "R6": "/measured/rows/{key}"},
    ),
    Target(
        "this service",
        SERVICE,
        {
            "R1": "/measured/view/{key}",
            **DETAIL_PATH,
            "R2": "/measured/posts?limit=20",
            "R2c": "/posts?limit=20",
            "R3": "/measured/view",
            "R4": "/posts/feed?limit=20&cursor={cursor}",
            "R5": "/measured/rows/bulk",
            "R6": "/measured/view/{key}",
        },
    ),
    Target("typical app", "typical_app", OFFSET_PATHS | DETAIL_PATH),
    Target("Advanced Alchemy", "advanced_alchemy", OFFSET_PATHS),
    Target("FastCRUD", "fastcrud", OFFSET_PATHS),
    Target(
        "s3rius generator",
        S3RIUS,
        {task: f"/api{path}" for task, path in OFFSET_PATHS.items()},
    ),
)
