"""An update to 0.11.0 replaces the removed forms in the code of a team, or reports them."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.processes import run, succeed
from tests.rendering import ROOT, git
from tests.services import Interpreter, database_url
from tests.updates.conftest import ServiceFactory
from tests.updates.history import CURRENT
from tests.updates.service import Service
from tests.updates.team import IMPORTS

ETAG = "from app.kit.http.etag import EntityTag, ETag\n"
ONCE = "from app.features import once\nfrom app.features.once import Once\n"
DIALOG = "from app.features.notes import Dialog\n"
NOTES = "from app.features.notes import Notes\n"
KEPT = f"{NOTES}from app.kit.queries.change_row import change_row\n"
OBJECT = "class S:\n    def __init__(self, s): self.notes = Notes(s)\n"
SORTING = "from app.kit.queries.sorting import order_by\n"
MODULE = "from app.kit.queries import sorting as s\n"
STAR = "from app.kit.http.etag import *\nfrom app.features.stars import *\n"
KEPT_STAR = f"{STAR}from app.kit.queries.change_row import change_row\n"
# The modules that the examples import.
MODULES = {
    "src/app/kit/http/etag.py": "class EntityTag: ...\nETag = Annotated[EntityTag, Depends(f)]\n",
    "src/app/features/once.py": (
        "from app.kit.writes.idempotency import IdempotentRequest as I\n"
        "Once = Annotated[I, idempotent(Key)]\n"
        "def get_once() -> Once: ...\n"
    ),
    "src/app/features/notes/__init__.py": "from .repository import Dialog, Notes\n",
    # A circle of star imports.
    "src/app/features/stars.py": "from .notes import *\nfrom .stars import *\n",
    "src/app/features/notes/repository.py": (
        "from app.kit.queries.repository import Repository\n"
        "class Own(Repository[Note]):\n    model = Note\n"
        "class Notes(Own): ...\n"
        "class Dialog(Own):\n    async def change(self, a, b): ...\n"
    ),
}
# The code of a team before and after.
CHANGES = {
    "parameter": (
        f"{ETAG}async def f(tag: ETag, row): return tag.show(row)\n",
        f"{ETAG}async def f(tag: ETag, row): return tag.set_header(row)\n",
    ),
    "optional parameter, and text": (
        f"{ETAG}def f(a: EntityTag | None, b: 'EntityTag'): a.show(1); b.show(2)\n",
        f"{ETAG}def f(a: EntityTag | None, b: 'EntityTag'): a.set_header(1); b.set_header(2)\n",
    ),
    "method that is passed": (
        f"{ETAG}def f(tag: ETag, rows): return map(tag.show, rows)\n",
        f"{ETAG}def f(tag: ETag, rows): return map(tag.set_header, rows)\n",
    ),
    "alias of the team, in an inner function": (
        f"{ONCE}async def f(once: Once):\n    async def g(): return await once.do(1)\n",
        f"{ONCE}async def f(once: Once):\n    async def g(): return await once.run(1)\n",
    ),
    "result of a function": (
        f"{ONCE}async def f():\n    o = once.get_once()\n    await o.do(1)\n",
        f"{ONCE}async def f():\n    o = once.get_once()\n    await o.run(1)\n",
    ),
    "repository": (
        f"{NOTES}async def f(s):\n    n, m = Notes(s), 1\n    await n.change(m, {{}}, *X)\n",
        f"{KEPT}async def f(s):\n    n, m = Notes(s), 1\n    await change_row(n, m, {{}}, *X)\n",
    ),
    "repository in place": (
        f"{NOTES}async def f(s): return await Notes(s).change(\n    1, {{}}\n)\n",
        f"{KEPT}async def f(s): return await change_row(Notes(s),\n    1, {{}}\n)\n",
    ),
    "repository of an object": (
        f"{NOTES}{OBJECT}    async def f(self): await self.notes.change(1, {{}})\n",
        f"{KEPT}{OBJECT}    async def f(self): await change_row(self.notes, 1, {{}})\n",
    ),
    "method of a repository": (
        f"{NOTES}class R(Notes):\n    async def f(self): await self.change(1, {{}})\n",
        f"{KEPT}class R(Notes):\n    async def f(self): await change_row(self, 1, {{}})\n",
    ),
    "order": (
        f"{SORTING}A = order_by(Note.id, Note.title.asc(), Note.x.desc())\n",
        f"{SORTING}A = order_by(Note.title.asc(), Note.x.desc(), tiebreaker=Note.id)\n",
    ),
    "order by the key": (
        f"{SORTING}A = order_by(Note.id)\n",
        f"{SORTING}A = order_by(tiebreaker=Note.id)\n",
    ),
    "order with a tuple and a comment": (
        f"{MODULE}A = s.order_by(\n    (Note.a, Note.b),  # why\n    x.asc(),\n)\n",
        f"{MODULE}A = s.order_by(\n      # why\n    x.asc(), tiebreaker=(Note.a, Note.b),\n)\n",
    ),
    "star import": (
        f"{STAR}async def f(e: ETag, n: Notes): e.show(await n.change(1, {{}}))\n",
        f"{KEPT_STAR}async def f(e: ETag, n: Notes): e.set_header(await change_row(n, 1, {{}}))\n",
    ),
    "letters outside of ASCII, and CRLF": (
        f"{ETAG}def f(tag: ETag): x = 'ü'; tag.show(x)\n".replace("\n", "\r\n"),
        f"{ETAG}def f(tag: ETag): x = 'ü'; tag.set_header(x)\n".replace("\n", "\r\n"),
    ),
}
SHOW = "if this calls the kit, replace EntityTag.show with set_header.\n"
UPDATE = "if this calls the kit, replace Repository.change with View.update, or get and update.\n"
TIEBREAKER = "pass the first argument of order_by as tiebreaker=….\n"
# Code that stays as it is, and what is reported about it.
REPORTED = {
    "own method": (f"{DIALOG}async def f(d: Dialog): await d.change(1, 2); d.show(1)\n", ""),
    "statement": ("def f(s): return select(Note).order_by(Note.id, Note.title)\n", ""),
    "parameter with the name of the function": (f"{SORTING}def f(order_by): order_by(1, 2)\n", ""),
    "new form": (f"{SORTING}A = order_by(Note.x.asc(), tiebreaker=Note.id)\n", ""),
    "unknown object of show": ("def f(x): x.show(1); x.show()\n", f"1: {SHOW}"),
    "unknown object of do": (
        "async def f(x): x.do(1); await x.do(1)\n",
        "1: if this calls the kit, replace IdempotentRequest.do with run.\n",
    ),
    "unknown object of change": (
        "async def f(x): await x.change(1); await x.change(1, {})\n",
        f"1: {UPDATE}",
    ),
    "variable with two classes": (
        f"{ETAG}def f(tag: ETag, x):\n    tag = x()\n    tag.show(1)\n",
        f"4: {SHOW}",
    ),
    "arguments in a list": (f"{SORTING}A = order_by(*TERMS)\n", f"2: {TIEBREAKER}"),
    "argument in parentheses": (f"{SORTING}A = order_by((Note.id), B)\n", f"2: {TIEBREAKER}"),
    "conflict": (
        "<<<<<<< before updating\ntag.show(1)\n",
        " has conflicts. Replace what CHANGELOG.md lists for 0.11.0 by hand.\n",
    ),
}
FEATURE = """
from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.idempotency import IdempotencyDep
from app.example.tags.models import Tag
from app.example.tags.schemas import TagChanges, TagOut
from app.kit.db.ids import Id
from app.kit.http.dependencies import DatabaseDep, SessionDep
from app.kit.http.etag import ETag
from app.kit.http.schemas import ResponseModel
from app.kit.queries.repository import Repository
from app.kit.queries.sorting import order_by
from app.kit.queries.view import View

router = APIRouter(prefix="/words", tags=["words"])
WORDS = View(TagOut, Tag)
BY_NAME = order_by(Tag.id, Tag.name.desc())


class WordRepository(Repository[Tag]):
    model = Tag


class Version(ResponseModel):
    version: int


@router.get("", response_model=list[TagOut])
async def list_words(db: DatabaseDep) -> list[TagOut]:
    return await WORDS.list(db, select(Tag).order_by(*BY_NAME.clauses))


@router.patch("/{tag_id}", response_model=TagOut)
async def rename(tag_id: Id, changes: TagChanges, session: SessionDep) -> Tag:
    return await WordRepository(session).change(tag_id, changes.model_dump(exclude_unset=True))


@router.post("/runs", response_model=int)
async def run(once: IdempotencyDep) -> Response:
    async def work(session: AsyncSession) -> int:
        return await WordRepository(session).count()

    return await once.do(work)


@router.get("/version", response_model=Version)
async def version(etag: ETag) -> Version:
    return etag.show(Version(version=3))
"""
TEST = """
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from tests.example.factories import make_tag


async def test_words(client: AsyncClient, session: AsyncSession) -> None:
    await make_tag(session, "engine")
    tag = await make_tag(session, "loom")
    renamed = await client.patch(f"/words/{tag.id}", json={"name": "card"})
    assert renamed.json()["name"] == "card"
    words = (await client.get("/words")).json()
    assert [each["name"] for each in words] == ["engine", "card"]
    key = {"Idempotency-Key": "k"}
    assert [(await client.post("/words/runs", headers=key)).json() for _ in range(2)] == [2, 2]
    assert (await client.get("/words/version")).headers["etag"] == '"3"'
"""


def replace_in(
    directory: Path, code: str, path: str = "src/app/features/own.py"
) -> tuple[str, str]:
    """Run the script in a folder with this module; return the module and the output."""
    git(directory, "init")
    for name, text in {**MODULES, path: code}.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(text.encode())
    (directory / "src/app/kit/queries").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / "hooks/replace_removed.py")]
    output = subprocess.check_output(
        command, cwd=directory, text=True, env={"PATH": "/usr/bin:/bin"}
    )
    sentences = [line for line in output.splitlines() if line.startswith(f"{path}:")]
    said = "".join(f"{line.removeprefix(f'{path}:')}\n" for line in sentences)
    return (directory / path).read_bytes().decode(), said


@pytest.mark.parametrize("name", CHANGES)
def test_removed_form_is_replaced(name: str, tmp_path: Path) -> None:
    old, new = CHANGES[name]

    assert replace_in(tmp_path, old) == (new, "")
    kept = tmp_path / "src/app/kit/queries/change_row.py"
    assert kept.exists() is ("change_row" in new)


@pytest.mark.parametrize("name", REPORTED)
def test_uncertain_use_is_reported(name: str, tmp_path: Path) -> None:
    code, said = REPORTED[name]

    assert replace_in(tmp_path, code) == (code, said)


@pytest.mark.slow
def test_feature_with_removed_forms_works_after_the_update(
    service_at: ServiceFactory, interpreter: Interpreter, server: URL, mypy_cache: Path
) -> None:
    service = service_at("0.10.1")
    add_feature(service)

    service.update(CURRENT)

    assert service.conflicts() == []
    feature = service.read("src/app/features/words.py")
    assert "    return await change_row(WordRepository(session), tag_id, changes" in feature
    before = service.files()
    succeed(sys.executable, ROOT / "hooks/replace_removed.py", cwd=service.directory)
    assert service.files() == before
    files = ["src/app/features/words.py", "src/app/kit/queries/change_row.py"]
    interpreter.run_module(service.directory, "mypy", "--cache-dir", mypy_cache, *files)
    tested = run(
        *(interpreter.python, "-m", "pytest", "-n0", "tests/features/test_words.py"),
        cwd=service.directory,
        PYTHONPATH="src",
        DATABASE_URL=database_url(server),
    )
    assert tested.returncode == 0, tested.stdout


@pytest.mark.slow
def test_edit_of_a_line_with_a_removed_form_does_not_conflict(service_at: ServiceFactory) -> None:
    service = service_at("0.9.0")
    products, orders = (f"src/app/example/catalog/{name}.py" for name in ("products", "repository"))
    service.replace(products, "show(await PRODUCTS.get(db,", "show(await OWN.get(db,")
    first = "order_by(Product.id, Product.name.asc())"
    service.replace(orders, first, "order_by(Product.id, Product.name.desc())")
    # The update renames `once`.
    service.replace(products, "once.do(partial(", "once.do(partial(own, ")

    service.update(CURRENT)

    assert service.conflicts() == [products]
    assert "etag.set_header(await OWN.get(db, product_id))" in service.read(products)
    assert "    return await once.run(partial(own, " in service.read(products)
    assert "order_by(Product.name.desc(), tiebreaker=Product.id)" in service.read(orders)
    before = service.files()
    succeed(sys.executable, ROOT / "hooks/replace_removed.py", cwd=service.directory)
    assert service.files() == before


def add_feature(service: Service) -> None:
    """Add a feature with each removed form, and its test."""
    service.write("src/app/features/words.py", FEATURE)
    service.write("tests/features/test_words.py", TEST)
    imported = f"{IMPORTS}from app.features.words import router as words\n"
    service.replace("src/app/registry.py", IMPORTS, imported)
    marker = "    # ---- the template's end here, your features follow ----\n"
    service.replace("src/app/registry.py", marker, f"{marker}    words,\n")


def test_reported_line_is_that_of_the_changed_file(tmp_path: Path) -> None:
    code = f"{NOTES}async def f(n: Notes, x): await n.change(1, {{}}); await x.change(1, {{}})\n"

    new, said = replace_in(tmp_path, code)

    assert new.startswith(KEPT)
    assert said == f"3: {UPDATE}"


def test_change_in_the_kit_is_reported_because_its_import_would_be_circular(tmp_path: Path) -> None:
    code = f"{NOTES}async def f(n: Notes): await n.change(1, {{}})\n"

    new, said = replace_in(tmp_path, code, "src/app/kit/queries/own.py")

    assert (new, said) == (code, f"2: {UPDATE.removeprefix('if this calls the kit, ')}")
