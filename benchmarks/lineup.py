"""Who is measured, and where each answers what."""

from dataclasses import dataclass

from benchmarks.database import CURSOR_DATE, DEEP, LAST_BEFORE_DEEP, post

FRAMEWORK = ("asyncpg", "fastapi", "uuid-utils", "uvicorn[standard]")
ORM = (*FRAMEWORK, "sqlalchemy[asyncio]")
SERVICE = "service"
GENERATOR = "fastapi_template"

BY_OFFSET = {
    "R1": "/rows/{key}",
    "R2": "/posts?limit=20",
    "R2c": "/page?limit=20",
    "R3": "/rows",
    "R4": f"/posts?limit=20&offset={DEEP}",
    "R5": "/rows/bulk",
    "R6": "/rows/{key}",
}
DETAIL = {"RD": "/posts/{key}"}
BY_KEY = (
    BY_OFFSET
    | DETAIL
    | {"R4": f"/after?limit=20&created_at={CURSOR_DATE}&id={post(LAST_BEFORE_DEEP)}"}
)


@dataclass(frozen=True)
class Program:
    """One process that serves."""

    name: str
    application: str
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class Contender:
    """One row of the table: paths of a program, by the work that they do."""

    name: str
    program: str
    paths: dict[str, str]


def _module(name: str, *requirements: str) -> Program:
    return Program(name, f"benchmarks.contenders.{name}:app", requirements)


PROGRAMS = {
    program.name: program
    for program in (
        _module("raw", *FRAMEWORK, "orjson"),
        _module("plain", *FRAMEWORK),
        _module("widespread", *ORM),
        Program(SERVICE, "--factory app.main:create_app", ()),
        _module("advanced_alchemy", *ORM, "advanced-alchemy"),
        _module("fastcrud", *ORM, "fastcrud"),
        Program(GENERATOR, "--factory peer.web.application:get_app", (GENERATOR,)),
    )
}
# What others offer for the same work.
PEERS = ("advanced_alchemy", "fastcrud", GENERATOR)

CONTENDERS = (
    Contender("raw ASGI + asyncpg", "raw", BY_KEY),
    Contender("FastAPI + asyncpg", "plain", BY_KEY),
    Contender(
        "this service, entities",
        SERVICE,
        {"R1": "/measured/rows/{key}", "R3": "/measured/rows", "R6": "/measured/rows/{key}"},
    ),
    Contender(
        "this service",
        SERVICE,
        {
            "R1": "/measured/view/{key}",
            **DETAIL,
            "R2": "/measured/posts?limit=20",
            "R2c": "/posts?limit=20",
            "R3": "/measured/view",
            "R4": "/posts/feed?limit=20&cursor={cursor}",
            "R5": "/measured/rows/bulk",
            "R6": "/measured/view/{key}",
        },
    ),
    Contender("widespread pattern", "widespread", BY_OFFSET | DETAIL),
    Contender("Advanced Alchemy", "advanced_alchemy", BY_OFFSET),
    Contender("FastCRUD", "fastcrud", BY_OFFSET),
    Contender(
        "s3rius generator",
        GENERATOR,
        {work: f"/api{path}" for work, path in BY_OFFSET.items()},
    ),
)
