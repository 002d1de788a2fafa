"""Forms and uploads. They need python-multipart, which a team adds to its dependencies."""

import gzip
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, File, Form, UploadFile
from httpx2 import AsyncClient
from pydantic import Field, Json

from app.kit.http.application import Application
from app.kit.http.schemas import RequestModel
from app.kit.http.settings import HttpSettings
from tests.support.app import client_of

pytest.importorskip("python_multipart")

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


class Ticket(RequestModel):
    name: str
    number: int = 0
    at: datetime | None = None
    tags: list[str] = Field([])
    extra: Json[Any] = None


def application() -> FastAPI:
    app = Application(http=HttpSettings(body_limit=2_000_000), title="Test")
    forms = APIRouter(prefix="/forms", tags=["x"])

    @forms.post("/ticket")
    async def send_ticket(ticket: Annotated[Ticket, Form()]) -> Ticket:
        return ticket

    @forms.post("/fields")
    async def send_fields(
        name: Annotated[str, Form()], number: Annotated[int, Form()] = 0
    ) -> list[Any]:
        return [name, number]

    @forms.post("/file")
    async def send_file(file: UploadFile, title: Annotated[str, Form()] = "") -> list[Any]:
        return [file.filename, len(await file.read()), title]

    @forms.post("/bytes")
    async def send_bytes(data: Annotated[bytes, File()]) -> int:
        return len(data)

    @forms.post("/optional")
    async def send_optional(file: UploadFile | None = None) -> bool:
        return file is None

    @forms.post("/files")
    async def send_files(files: list[UploadFile]) -> int:
        return len(files)

    app.include_router(forms)
    return app


@pytest.fixture
async def client() -> AsyncGenerator[AsyncClient]:
    async with client_of(application()) as client:
        yield client


async def fields_of(client: AsyncClient, path: str, **options: Any) -> list[str]:
    """Send an invalid form; return the fields that the response names."""
    response = await client.post(f"/forms/{path}", **options)
    assert response.status_code == 422, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    return [error["field"] for error in response.json()["errors"]]


async def test_compressed_form_is_rejected(client: AsyncClient) -> None:
    headers = {"Content-Type": FORM, "Content-Encoding": "gzip"}
    response = await client.post("/forms/ticket", content=gzip.compress(b"name=x"), headers=headers)
    assert (response.status_code, response.headers["Accept-Encoding"]) == (415, "identity")


async def test_forms_are_parsed(client: AsyncClient) -> None:
    ticket = {"name": "a", "number": "7", "at": "2026-01-01T00:00:00Z", "tags": ["x", "y"]}
    response = await client.post("/forms/ticket", data=ticket)
    assert response.json() == {**ticket, "number": 7, "extra": None}
    response = await client.post("/forms/fields", data={"name": "a", "number": "7"})
    assert response.json() == ["a", 7]
    file = {"file": ("a.txt", b"\0\xff")}
    response = await client.post("/forms/file", files=file, data={"title": "é"})
    assert response.json() == ["a.txt", 2, "é"]
    assert (await client.post("/forms/bytes", files={"data": b"\0\xff"})).json() == 2
    assert (await client.post("/forms/optional")).json() is True


async def test_form_values_are_validated(client: AsyncClient) -> None:
    ticket = {"name": "a", "number": "x", "at": "2026-01-01T00:00:00", "unknown": "1"}
    fields = await fields_of(client, "ticket", data=ticket)
    assert fields == ["body.number", "body.at", "body.unknown"]
    assert await fields_of(client, "ticket", data={"name": "a\0"}) == ["body.name"]
    assert await fields_of(client, "fields", data={"name": "a\0"}) == ["body.name"]
    nul = r'["\u0000"]'
    assert await fields_of(client, "ticket", data={"name": "a", "extra": nul}) == ["body.extra"]
    assert await fields_of(client, "fields") == ["body.name"]
    text_instead_of_file = {"file": (None, "abc")}
    assert await fields_of(client, "file", files=text_instead_of_file) == ["body.file"]


async def test_file_name_with_nul_is_rejected(client: AsyncClient) -> None:
    disposition = b'Content-Disposition: form-data; name="file"; filename="a\0.txt"'
    body = b"--x\r\n" + disposition + b"\r\n\r\nabc\r\n--x--\r\n"
    headers = {"Content-Type": f"{MULTIPART}; boundary=x"}
    fields = await fields_of(client, "file", content=body, headers=headers)
    assert fields == ["body.file.filename"]


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain", "", MULTIPART])
@pytest.mark.parametrize("path", ["ticket", "fields", "file", "bytes", "optional", "files"])
async def test_body_without_form_content_type_is_unsupported(
    client: AsyncClient, path: str, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = await client.post(f"/forms/{path}", content=b'{"name": "a"}', headers=headers)
    # A multipart body cannot be parsed without a boundary.
    assert response.status_code == (400 if content_type == MULTIPART else 415)
    assert response.headers["Content-Type"] == "application/problem+json"
    if content_type != MULTIPART:
        is_form = path in ("ticket", "fields")
        assert response.headers["Accept"] == (f"{FORM}, {MULTIPART}" if is_form else MULTIPART)


@pytest.mark.parametrize(
    "charset",
    ["punycode", "unicode-escape", "utf-16", '"punycode"', "utf-8; charset=idna", "latin-1", "x"],
)
async def test_form_in_another_charset_is_unsupported(client: AsyncClient, charset: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\\ud800\r\n--x--\r\n'
    headers = {"Content-Type": f"{MULTIPART}; boundary=x; charset={charset}"}
    response = await client.post("/forms/fields", content=body, headers=headers)
    assert response.status_code == 415, response.text
    headers = {"Content-Type": f"{FORM}; charset={charset}"}
    response = await client.post("/forms/fields", content=b"name=a", headers=headers)
    assert response.status_code == 415, response.text


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"'])
async def test_form_in_utf_8_is_accepted(client: AsyncClient, charset: str) -> None:
    headers = {"Content-Type": f"{FORM}; charset={charset}"}
    response = await client.post("/forms/fields", content=b"name=%c3%a9", headers=headers)
    assert response.json() == ["é", 0]


PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nabc\r\n'
MALFORMED = {
    "no multipart": (b"abc", 400),
    "without an end": (PART[:-2], 422),
    "without a name": (b"--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--x--\r\n", 400),
    "without headers": (b"--x\r\n\r\nabc\r\n--x--\r\n", 400),
    "too many files": (PART * 101 + b"--x--\r\n", 400),
    "many headers": (b"--x\r\n" + b"A: b\r\n" * 300_000 + PART, 400),
    "beyond the limit": (PART.replace(b"abc", b"a" * 2_000_000) + b"--x--\r\n", 413),
    "large text": (PART.replace(b'; filename="a"', b"").replace(b"abc", b"a" * 1_900_000), 400),
}


# Starlette closes the file of an incomplete part only at garbage collection.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("body", "status"), MALFORMED.values(), ids=MALFORMED)
async def test_malformed_or_large_upload_is_a_client_error(
    client: AsyncClient, body: bytes, status: int
) -> None:
    headers = {"Content-Type": f"{MULTIPART}; boundary=x"}
    response = await client.post("/forms/files", content=body, headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("content", [b"&".join([b"a=1"] * 5000), b"name=" + b"a" * 1_500_000])
async def test_large_form_is_a_client_error(client: AsyncClient, content: bytes) -> None:
    headers = {"Content-Type": FORM}
    response = await client.post("/forms/ticket", content=content, headers=headers)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"


def test_forms_document_415() -> None:
    for path in application().openapi()["paths"].values():
        assert {"413", "415", "422"} <= path["post"]["responses"].keys()
