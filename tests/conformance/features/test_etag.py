"""The version of an entity or response model is its ETag."""

import pytest
from fastapi import Response

from app.kit.http.etag import EntityTag, PreconditionFailed
from app.kit.http.schemas import ResponseModel
from tests.conformance.features.library.models import LibraryBook, LibraryWriter


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
