"""An update keeps removed modules and functions for a service that uses them."""

import sys
from pathlib import Path

import pytest
from sqlalchemy import URL

from hooks.keep_removed import imports
from tests.processes import run, succeed
from tests.rendering import ROOT
from tests.services import Interpreter, database_url
from tests.updates.conftest import ServiceFactory
from tests.updates.history import CURRENT
from tests.updates.service import Service
from tests.updates.team import IMPORTS

KIT = "src/app/kit/db"
FEATURE = """
from typing import Annotated

from fastapi import Query, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.idempotency.service import OncePerKey
from app.example.posts.models import Post
from app.example.posts.schemas import PostOut
from app.example.tags.models import Tag
from app.example.tags.schemas import TagChanges, TagCreate, TagOut
from app.kit.db import batches
from app.kit.db.hot import Hot, HotSelect
from app.kit.db.hot_writes import HotInsert, HotWrite
from app.kit.db.keyset import keyset_page
from app.kit.db.projection import Projection
from app.kit.db.repository import Repository, provided
from app.kit.db.session import ReadSessionDep, SessionDep
from app.kit.db.ids import Id
from app.kit.db.sorting import order
from app.kit.etag import ETag
from app.kit.page import CursorPage, CursorQuery, CursorSlice
from app.kit.routing import FeatureRouter
from app.kit.schemas import Output

router = FeatureRouter(prefix="/words", tags=["words"])
WORDS = HotSelect(select(Tag.id, Tag.name), TagOut)
NEW_WORD = HotInsert(Tag, TagCreate, TagOut)
POSTS = Projection(PostOut, Post)
BY_NAME = order(Tag.id, Tag.name.asc())


class WordRepository(Repository[Tag]):
    model = Tag


Words = Annotated[WordRepository, provided(WordRepository)]


@router.post("", response_model=TagOut)
async def create(new: TagCreate, hot: HotWrite) -> TagOut:
    return await NEW_WORD.create(hot, new)


class Version(Output):
    version: int


@router.patch("/{tag_id}", response_model=TagOut)
async def rename(tag_id: Id, changes: TagChanges, words: Words) -> Tag:
    return await words.change(tag_id, changes.sent())


@router.post("/runs", response_model=int)
async def run(once: OncePerKey) -> Response:
    async def work(session: AsyncSession) -> int:
        return await WordRepository(session).count()

    return await once.do(work)


@router.get("/version", response_model=Version)
async def version(etag: ETag) -> Version:
    return etag.show(Version(version=3))


@router.get("/count")
async def count(words: Words) -> int:
    return await words.count()


@router.get("/feed", response_model=CursorPage[TagOut])
async def feed(
    query: Annotated[CursorQuery, Query()], session: ReadSessionDep
) -> CursorSlice[Tag]:
    return await keyset_page(session, query, select(Tag), BY_NAME)


@router.delete("")
async def delete(session: SessionDep) -> int:
    return len(await batches.delete_batch(session, Tag, Tag.name != "kept"))


@router.get("/hot", response_model=list[TagOut])
async def list_hot(hot: Hot) -> list[TagOut]:
    return await WORDS.all(hot)


@router.get("/projection", response_model=list[PostOut])
async def list_projection(session: ReadSessionDep) -> list[PostOut]:
    return list(await session.scalars(POSTS.select()))
"""
TEST = """
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from tests.example.factories import make_post, make_tag


async def test_words(client: AsyncClient, session: AsyncSession) -> None:
    created = (await client.post("/words", json={"name": "engine"})).json()
    assert (await client.get("/words/hot")).json() == [created]
    assert (await client.get("/words/feed?limit=1")).json()["items"] == [created]
    assert (await client.get("/words/count")).json() == 1
    renamed = await client.patch(f"/words/{created['id']}", json={"name": "loom"})
    assert renamed.json()["name"] == "loom"
    key = {"Idempotency-Key": "k"}
    assert [(await client.post("/words/runs", headers=key)).json() for _ in range(2)] == [1, 1]
    assert (await client.get("/words/version")).headers["etag"] == '"3"'
    stored = await make_post(session, tags=[await make_tag(session, "kept")])
    [post] = (await client.get("/words/projection")).json()
    assert (post["author"]["name"], post["tags"][0]["name"]) == (stored.author.name, "kept")
    assert (await client.delete("/words")).json() == 1
"""


def add_feature(service: Service) -> None:
    """Add a feature that uses removed names, with its test."""
    service.write("src/app/features/words.py", FEATURE)
    service.write("tests/features/test_words.py", TEST)
    imported = f"{IMPORTS}from app.features.words import router as words\n"
    service.replace("src/app/registry.py", IMPORTS, imported)
    marker = "    # ---- the template's end here, your features follow ----\n"
    service.replace("src/app/registry.py", marker, f"{marker}    words,\n")


def removed_modules(service: Service) -> set[str]:
    """Return the removed modules that a service has."""
    names = ("hot", "hot_writes", "projection", "compiled")
    return {name for name in names if service.path(f"{KIT}/{name}.py").exists()}


@pytest.mark.slow
@pytest.mark.parametrize("version", ["0.5.1", "0.6.1"])
def test_feature_with_removed_names_works_after_the_update(
    version: str, service_at: ServiceFactory, interpreter: Interpreter, server: URL
) -> None:
    service = service_at(version)
    add_feature(service)

    service.update(CURRENT)

    assert service.conflicts() == []
    assert removed_modules(service) == {"hot", "hot_writes", "projection"}
    feature = service.read("src/app/features/words.py")
    assert "router = APIRouter(" in feature
    tested = run(
        *(interpreter.python, "-m", "pytest", "-n0", "tests/features/test_words.py"),
        cwd=service.directory,
        PYTHONPATH="src",
        DATABASE_URL=database_url(server),
    )
    assert tested.returncode == 0, tested.stdout


def test_kept_module_has_the_changes_of_the_team(service_at: ServiceFactory) -> None:
    service = service_at("0.6.1")
    add_feature(service)
    service.append(f"{KIT}/hot.py", "\nOURS = True\n")
    part = service.into_subfolder("services/words")

    part.update(CURRENT)

    assert part.read(f"{KIT}/hot.py").endswith("\nOURS = True\n")
    before = part.files()
    succeed(sys.executable, ROOT / "hooks/move.py", cwd=part.directory)
    assert part.files() == before


def test_service_that_uses_no_removed_module_loses_them(service_at: ServiceFactory) -> None:
    service = service_at("0.6.1")
    assert removed_modules(service) == {"hot", "hot_writes", "projection", "compiled"}

    service.update(CURRENT)

    assert removed_modules(service) == set()
    assert not service.path("src/app/kit/local_postgres").exists()
    assert service.run_script(ROOT / "hooks/move.py") == ""


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("features/a.py", "from app.kit.db.hot import Hot", True),
        ("features/a.py", "from app.kit.db import base, hot", True),
        ("features/a.py", "from app.kit.db import (\n    base,\n    hot,\n)", True),
        ("features/a.py", "import app.kit.db.hot as fast", True),
        ("kit/words/a.py", "from ..db.hot import Hot", True),
        ("kit/db/a.py", "from .hot import Hot", True),
        ("features/a.py", "from .hot import Hot", False),
        ("features/a.py", "from app.kit.db.hot_writes import HotInsert", False),
        ("features/a.py", "from app.kit.db import base\n\nhot = base", False),
    ],
)
def test_imports_of_a_removed_module_are_found(
    path: str, text: str, found: bool, tmp_path: Path
) -> None:
    file = tmp_path / "src/app" / path
    file.parent.mkdir(parents=True)
    file.write_text(text)

    assert imports(file, "hot") is found
