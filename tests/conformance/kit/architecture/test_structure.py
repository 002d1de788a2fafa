"""The architecture rules of tables and routes detect their violations."""

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Response, WebSocket
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    func,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from starlette.responses import StreamingResponse

from app.kit.http.dependencies import ReadSessionDep, SessionDep, get_session
from app.kit.http.streaming import JsonLines
from app.kit.writes.idempotency import IdempotencyRecord, idempotent
from tests.architecture.test_structure import (
    SESSIONS,
    cascades_row_by_row,
    foreign_keys_without_index,
    foreign_keys_without_rule,
    is_idempotent,
    is_streaming,
    routes_of,
    sessions_of,
    subclass_keys_without_cascade,
    unbounded_lists,
)


class Wrong(DeclarativeBase):
    """Tables that violate the rules."""


class Owner(Wrong):
    __tablename__ = "kit_owners"
    id: Mapped[int] = mapped_column(primary_key=True)
    things: Mapped[list["Thing"]] = relationship(cascade="all, delete-orphan")


class Thing(Wrong):
    __tablename__ = "kit_things"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("kit_owners.id"))


class SpecialOwner(Owner):
    __tablename__ = "kit_special_owners"
    id: Mapped[int] = mapped_column(
        ForeignKey("kit_owners.id", ondelete="RESTRICT"), primary_key=True
    )


def test_table_rules_detect_violations() -> None:
    assert foreign_keys_without_index(Wrong.metadata) == ["kit_things.owner_id"]
    assert foreign_keys_without_rule(Wrong.metadata) == ["kit_things.owner_id"]
    assert cascades_row_by_row(Wrong.registry) == ["Owner.things"]
    assert subclass_keys_without_cascade(Wrong.registry) == ["kit_special_owners.id"]


def test_composite_foreign_key_needs_an_index_that_starts_with_its_columns() -> None:
    metadata = MetaData()
    Table(
        "target",
        metadata,
        Column("a", Integer, primary_key=True),
        Column("b", Integer, primary_key=True),
    )
    for name, indexed in (
        ("indexed", ["b", "a", "c"]),
        ("partly", ["a", "c"]),
        ("wrong", ["c", "a", "b"]),
    ):
        Table(
            name,
            metadata,
            *(Column(each, Integer) for each in "abc"),
            ForeignKeyConstraint(["a", "b"], ["target.a", "target.b"], ondelete="CASCADE"),
            Index(None, *indexed),
        )

    assert sorted(foreign_keys_without_index(metadata)) == [
        "partly.a, partly.b",
        "wrong.a, wrong.b",
    ]


def test_partial_index_does_not_serve_a_foreign_key() -> None:
    metadata = MetaData()
    Table("target", metadata, Column("id", Integer, primary_key=True))
    for name, condition in (
        ("whole", None),
        ("set_only", "set_only.target_id IS NOT NULL"),
        ("not_deleted", "deleted_at IS NULL"),
    ):
        Table(
            name,
            metadata,
            Column("target_id", ForeignKey("target.id", ondelete="CASCADE"), nullable=True),
            Column("deleted_at", DateTime()),
            Index(None, "target_id", unique=True, postgresql_where=condition and text(condition)),
        )

    assert foreign_keys_without_index(metadata) == ["not_deleted.target_id"]


def test_index_on_an_expression_does_not_serve_a_foreign_key() -> None:
    metadata = MetaData()
    Table("target", metadata, Column("id", String, primary_key=True))
    for name in ("descending", "lower"):
        key: Column[str] = Column("target_id", ForeignKey("target.id", ondelete="CASCADE"))
        part = key.desc() if name == "descending" else func.lower(key)
        Table(name, metadata, key, Index(None, part))

    assert foreign_keys_without_index(metadata) == ["lower.target_id"]


def test_route_rules_detect_violations() -> None:
    wrong, router = FastAPI(), APIRouter()

    @wrong.get("/both")
    async def both(_first: SessionDep, _second: ReadSessionDep) -> None: ...

    @router.get("/included")
    async def included() -> None: ...

    async def own() -> AsyncGenerator[AsyncSession]:
        yield AsyncSession()

    @wrong.get("/own", dependencies=[Depends(own)])
    async def of_a_team() -> None: ...

    @wrong.get("/list")
    async def everything() -> list[int]:
        return []

    wrong.include_router(router, dependencies=[Depends(get_session)])
    mounting = FastAPI()
    mounting.mount("/part", wrong)
    found = {route.path: sessions_of(route) for route in routes_of(mounting)}
    assert {call for call, _ in found["/both"]} == SESSIONS
    assert found["/included"] == [(get_session, None)]
    assert found["/own"] == [(own, None)]
    assert unbounded_lists(wrong.openapi()) == ["GET /list"]


def test_idempotency_rule_detects_endpoint_with_session() -> None:
    wrong = FastAPI()
    dependency = idempotent(IdempotencyRecord)

    async def check_membership(_session: SessionDep) -> None: ...

    @wrong.post("/both", dependencies=[Depends(check_membership), dependency])
    async def both() -> None: ...

    @wrong.post("/one", dependencies=[dependency])
    async def one() -> None: ...

    found = {route.path: (is_idempotent(route), sessions_of(route)) for route in routes_of(wrong)}
    assert found == {"/both": (True, [(get_session, "function")]), "/one": (True, [])}


def test_streaming_rule_detects_every_kind_of_stream() -> None:
    wrong = FastAPI()

    @wrong.get("/annotated")
    async def annotated(_session: SessionDep) -> StreamingResponse:
        return StreamingResponse(iter(()))

    @wrong.get("/declared", response_class=JsonLines)
    async def declared(_session: SessionDep) -> Any: ...

    @wrong.get("/returned")
    async def returned(_session: SessionDep) -> Response:
        return StreamingResponse(iter(()))

    @wrong.get("/generated")
    async def generated(_session: ReadSessionDep) -> AsyncGenerator[int]:
        yield 1

    @wrong.websocket("/talk")
    async def talk(_socket: WebSocket, _session: SessionDep) -> None: ...

    @wrong.get("/at-once")
    async def at_once(_session: SessionDep) -> Response:
        return Response()

    found = {route.path for route in routes_of(wrong) if is_streaming(route)}
    assert found == {"/annotated", "/declared", "/returned", "/generated", "/talk"}
    assert all(sessions_of(route) for route in routes_of(wrong))
