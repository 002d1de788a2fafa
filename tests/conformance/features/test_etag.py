"""The version of an entity or response model is its ETag."""

import pytest
from fastapi import Response

from app.kit.http.application import Application
from app.kit.http.etag import EntityTag, ETag, PreconditionFailed
from app.kit.http.schemas import ResponseModel
from tests.conformance.features.library.models import LibraryBook, LibraryWriter
from tests.support.app import client_of


class WithVersion(ResponseModel):
    version: int


class WithoutVersion(ResponseModel):
    name: str


def test_etag_is_the_version_of_entity_or_response_model() -> None:
    for row in (WithVersion(version=3), LibraryBook(title="One", version=3)):
        tag = EntityTag(Response(), '"3"')
        tag.check(row)
        assert tag.set_header(row) is row
        assert tag.response.headers["ETag"] == '"3"'
        with pytest.raises(PreconditionFailed):
            EntityTag(Response(), '"2"').check(row)


def test_row_without_version_is_a_type_error() -> None:
    for row in (WithoutVersion(name="a"), LibraryWriter(name="a")):
        with pytest.raises(TypeError, match="has no version for an ETag"):
            EntityTag(Response(), None).set_header(row)


async def test_if_match_in_several_headers() -> None:
    app = Application()

    @app.put("/items")
    async def update_item(etag: ETag) -> None:
        etag.check(WithVersion(version=3))

    def headers(*tags: str) -> list[tuple[str, str]]:
        return [("If-Match", tag) for tag in tags]

    async with client_of(app) as client:
        for tags in (['"2"', '"3"'], ['"3"', '"2"'], ['"1", "2"', '"4","3"']):
            assert (await client.put("/items", headers=headers(*tags))).status_code == 200
        assert (await client.put("/items", headers=headers('"1"', '"2"'))).status_code == 412
        for second in ("3", '"' + "3" * 1000 + '"', "x" + 20_000 * " " + "y"):
            response = await client.put("/items", headers=headers('"3"', second))
            assert response.status_code == 422
            assert response.json()["errors"][0]["field"] == "header.If-Match"
