"""The OpenAPI schema suits client generators."""

import json
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel, Field, create_model

from app.kit.db.deletion import Model
from app.kit.errors.problems import problem_responses
from app.kit.http.application import Application
from app.kit.http.schemas import (
    PatchModel,
    RequestModel,
    ResponseModel,
    ShortStr,
    optional_field,
)
from app.kit.observability.health import router as health
from app.kit.queries.pagination import CursorPage, Page, PageQuery
from app.kit.writes.request_checks import Batch

T = TypeVar("T")
BIGINT = 2**63 - 1


class Grade(Enum):
    FINE = "fine"
    COARSE = "coarse"


class Size(BaseModel):
    """A model of requests and responses with one schema for both."""

    width: int = Field(1, ge=1)
    inner: "Size | None" = None


class Price(BaseModel):
    """A model whose request schema accepts more than its response schema."""

    amount: Decimal = Decimal("1.5")


class GrainIn(RequestModel):
    grade: Grade = Field(Grade.FINE, description="The grade.")
    count: Annotated[int, Field(gt=0, le=BIGINT, multiple_of=5)] = 10
    weight: Annotated[float, Field(ge=0.5)]
    least: int = Field(ge=-(2**63), lt=2**63)
    size: Size = Size()
    price: Price | None = None
    names: list[ShortStr] = Field([], examples=[["wheat"]])
    kept_at: datetime | None = None


class GrainChanges(PatchModel):
    grade: Grade = optional_field()
    count: Annotated[int, Field(ge=1)] = optional_field()
    size: Size = optional_field()
    note: str | None = optional_field()


class GrainOut(ResponseModel):
    count: int = Field(ge=1, le=9)
    size: Size
    price: Price


class Round(ResponseModel):
    kind: Literal["round"]
    grain: GrainOut


class Square(ResponseModel):
    kind: Literal["square"]
    label: str = ""
    hint: str | None = Field(None, exclude_if=lambda hint: hint is None)


class Wrapped(ResponseModel, Generic[T]):
    item: T


class GrainQuery(PageQuery):
    grade: Grade = Grade.FINE


FirstItem = create_model("ItemOut", __module__="app.features.first.schemas", a=(int, ...))
SecondItem = create_model("ItemOut", __module__="app.features.second.schemas", b=(int, ...))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    app: FastAPI = Application(title="Test")
    app.include_router(health)

    @app.get("/grains")
    async def list_grains(query: Annotated[GrainQuery, Query()]) -> Page[GrainOut]:
        raise NotImplementedError(query)

    @app.get("/cursor")
    async def list_by_cursor() -> CursorPage[GrainOut]:
        raise NotImplementedError

    @app.get("/wrapped")
    async def read_wrapped() -> Wrapped[list[Wrapped[Size]]]:
        raise NotImplementedError

    @app.get("/shapes", responses=problem_responses(422))
    async def list_shapes() -> list[Annotated[Round | Square, Field(discriminator="kind")]]:
        raise NotImplementedError

    @app.post("/grains")
    async def create_grain(grain: GrainIn) -> Round:
        raise NotImplementedError(grain)

    @app.post("/grains/batch")
    async def create_grains(grains: Batch[GrainIn]) -> int:
        raise NotImplementedError(grains)

    @app.patch("/grains")
    async def update_grain(changes: GrainChanges) -> Size:
        raise NotImplementedError(changes)

    @app.get("/first", response_model=FirstItem)
    async def read_first() -> None:
        raise NotImplementedError

    @app.get("/second", response_model=Page[SecondItem])
    async def read_second() -> None:
        raise NotImplementedError

    return app.openapi()


@pytest.fixture(scope="module")
def schemas(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"]
    return found


def test_schema_names_are_readable(schemas: dict[str, Any]) -> None:
    assert set(schemas) == {
        "BatchGrainIn",
        "CursorPageGrainOut",
        "FieldProblem",
        "FirstItemOut",
        "Grade",
        "GrainChanges",
        "GrainIn",
        "GrainOut",
        "Health",
        "PageGrainOut",
        "PageItemOut",
        "PriceInput",
        "PriceOutput",
        "ProblemDocument",
        "Round",
        "SecondItemOut",
        "Size",
        "Square",
        "WrappedListWrappedSize",
        "WrappedSize",
    }
    assert list(schemas) == sorted(schemas)
    assert schemas["PageGrainOut"]["title"] == "PageGrainOut"


def test_references_use_renamed_schemas(document: dict[str, Any], schemas: dict[str, Any]) -> None:
    text = json.dumps(document)
    referred = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert referred == set(schemas)
    assert schemas["GrainIn"]["properties"]["price"]["anyOf"][0]["$ref"].endswith("/PriceInput")
    assert schemas["GrainOut"]["properties"]["price"]["$ref"].endswith("/PriceOutput")


def test_bounds_of_integers_are_integers(document: dict[str, Any], schemas: dict[str, Any]) -> None:
    fields = schemas["GrainIn"]["properties"]
    bounds = {
        "count": {"exclusiveMinimum": 0, "maximum": BIGINT, "multipleOf": 5},
        "least": {"minimum": -(2**63), "exclusiveMaximum": 2**63},
    }
    for name, expected in bounds.items():
        found = {key: fields[name][key] for key in expected}
        assert json.dumps(found) == json.dumps(expected)
    assert fields["weight"]["minimum"] == 0.5
    count = schemas["GrainOut"]["properties"]["count"]
    assert json.dumps([count["minimum"], count["maximum"]]) == "[1, 9]"
    limit = document["paths"]["/grains"]["get"]["parameters"][0]["schema"]
    assert json.dumps([limit["minimum"], limit["maximum"]]) == "[1, 100]"


def test_field_descriptions_state_the_default(
    document: dict[str, Any], schemas: dict[str, Any]
) -> None:
    assert schemas["GrainIn"]["required"] == ["weight", "least"]
    fields = schemas["GrainIn"]["properties"]
    assert fields["grade"]["description"] == 'The grade. Default: `"fine"`'
    assert fields["count"]["description"] == "Default: `10`"
    assert fields["count"]["examples"] == [10]
    assert fields["names"]["examples"] == [["wheat"]]
    assert "required" not in schemas["Size"]
    # openapi-typescript makes a field with this keyword required, except in parameters.
    assert not any("default" in field for field in fields.values())
    assert "default" not in schemas["Size"]["properties"]["width"]
    grade = document["paths"]["/grains"]["get"]["parameters"][2]
    assert (grade["required"], grade["schema"]["default"]) == (False, "fine")


def test_omittable_fields_are_neither_required_nor_nullable(schemas: dict[str, Any]) -> None:
    changes = schemas["GrainChanges"]
    assert "required" not in changes
    fields = changes["properties"]
    assert fields["grade"] == {"$ref": "#/components/schemas/Grade"}
    assert fields["size"] == {"$ref": "#/components/schemas/Size"}
    assert fields["count"] == {"type": "integer", "minimum": 1, "title": "Count"}
    assert fields["note"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert not any("default" in field or "description" in field for field in fields.values())


def test_fields_of_responses_are_required_if_they_are_always_sent(schemas: dict[str, Any]) -> None:
    assert schemas["Square"]["required"] == ["kind", "label"]
    assert schemas["Health"]["required"] == ["status"]
    problem = schemas["ProblemDocument"]
    assert problem["required"] == ["type", "title", "status", "detail"]
    # They are omitted, never null. Clients ignore fields that they do not know (RFC 9457).
    assert "null" not in str(problem)
    assert "additionalProperties" not in problem


def test_operations_without_input_do_not_document_422(
    document: dict[str, Any],
) -> None:
    paths = document["paths"]
    for path in ("/health/live", "/health/ready", "/cursor"):
        assert "422" not in paths[path]["get"]["responses"]
    for path, method in (("/grains", "get"), ("/grains", "post"), ("/shapes", "get")):
        assert "422" in paths[path][method]["responses"]
    assert "x-inherited" not in json.dumps(document)


def test_delete_documents_409_only_with_hard_delete(app: FastAPI) -> None:
    delete = app.openapi()["paths"]["/users/{user_id}"]["delete"]
    is_soft = hasattr(Model, "deleted_at")
    assert ("409" in delete["responses"]) == (not is_soft)
    assert "conflict" not in delete["description"]
